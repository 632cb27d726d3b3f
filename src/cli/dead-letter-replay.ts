import type { Command } from 'commander'
import { InvalidArgumentError } from 'commander'
import type { Replayed } from '../admin/replay-dead-letters.js'
import { RelayError, toRelayError } from '../core/errors.js'
import type { TriggerOutcome } from '../trigger/trigger-outcome.js'
import { withTriggerHandler } from './context.js'
import { type ChoiceOptions, choiceOf, isWanted, lettersText, withChoice } from './dead-letter-choice.js'
import { firstSignal, Interrupted } from './signals.js'

/** Of so few each is told, of more the numbers. */
const EACH_TOLD = 10
const MOST_PER_SECOND = 100_000

export function addReplayCommand(deadLetter: Command): void {
  withChoice(deadLetter.command('replay [id...]'))
    .description('Give letters to their triggers once more, as those are now, in the order of their arrival.')
    .option('--rate <count>', 'so many a second at most, such as 10 or 10/s', parseRate)
    .option('--json', 'one JSON object a letter: what became of it')
    .addHelpText(
      'after',
      `
It happens here, whether the trigger runs, is paused or is stopped; mend the trigger first. What fails again waits on,
with the new reason. When the engine, the broker or Postgres is away it stops, and what is left waits on. Two who replay
at the same time do not handle a letter twice. Letters of a trigger that was deleted go to the one of the same name.

Examples:
  bpmn-relay dead-letter replay 0198b3f0-5f6e-7c31-9d2e-4b1a7c0de001
  bpmn-relay dead-letter replay --trigger start-orders --error-code EXPRESSION_INVALID
  bpmn-relay dead-letter replay --all --rate 20/s --yes`,
    )
    .action(replay)
}

/** @throws InvalidArgumentError */
function parseRate(text: string): number {
  const count = Number(/^(\d{1,6})(\/s)?$/.exec(text)?.[1])
  if (count >= 1 && count <= MOST_PER_SECOND) return count
  throw new InvalidArgumentError(`Give a whole number from 1 to ${MOST_PER_SECOND}, of letters a second.`)
}

interface ReplayOptions extends ChoiceOptions {
  rate?: number
  json?: true
}

async function replay(ids: string[], options: ReplayOptions, command: Command): Promise<void> {
  const { rate: perSecond, json, yes } = options
  const choice = choiceOf(ids, options, command)
  const { chosenLetters } = await import('../trigger/resolve-dead-letters.js')
  const { replayDeadLetters } = await import('../admin/replay-dead-letters.js')
  const { progressPrinter } = await import('../stack/progress.js')
  await withTriggerHandler(async (handler, context) => {
    const chosen = await chosenLetters(context.database, choice)
    if (!(await isWanted('Replay', chosen.length, { choice, yes }, command))) return
    const stopping = new AbortController()
    let interruption: Interrupted | undefined
    void firstSignal().then((signal) => {
      interruption = new Interrupted(signal)
      stopping.abort()
    })
    const tally = new Tally(chosen.length)
    const showProgress = progressPrinter(process.stderr)
    const onEnd = (replayed: Replayed): void => {
      tally.add(replayed)
      if (json) console.log(JSON.stringify(jsonOf(replayed)))
      else if (chosen.length <= EACH_TOLD) console.log(`${replayed.id}: ${textOf(replayed)}`)
      else showProgress({ server: 'replay', text: lettersText(chosen.length), percent: tally.percent })
    }
    const request = { ids: chosen, perSecond, signal: stopping.signal, onEnd }
    const fault = await replayDeadLetters(context, handler, request).then(() => undefined, toRelayError)
    if (!json) console.log(tally.text())
    if (fault) throw new RelayError(fault.code, `${fault.message}; ${tally.leftText()}`, { cause: fault })
    if (interruption) throw interruption
    tally.assertAllReplayed()
  })
}

/** How many letters ended how. */
class Tally {
  readonly #chosen: number
  readonly #ended: Record<Replayed['kind'], number> = { replayed: 0, failed: 0, gone: 0, orphaned: 0 }
  readonly #orphanedOf = new Set<string>()
  #firstFailure: Extract<Replayed, { kind: 'failed' }> | undefined

  constructor(chosen: number) {
    this.#chosen = chosen
  }

  add(replayed: Replayed): void {
    this.#ended[replayed.kind] += 1
    if (replayed.kind === 'failed') this.#firstFailure ??= replayed
    if (replayed.kind === 'orphaned') this.#orphanedOf.add(replayed.trigger)
  }

  get percent(): number {
    return (100 * (this.#chosen - this.#left)) / this.#chosen
  }

  get #left(): number {
    const { replayed, failed, gone, orphaned } = this.#ended
    return this.#chosen - replayed - failed - gone - orphaned
  }

  text(): string {
    const { replayed, failed, gone, orphaned } = this.#ended
    const lines: [text: string, count: number][] = [
      ['Failed again, and waiting on', failed],
      ['Left alone, as somebody else has them in hand or was quicker', gone],
      ['Left alone, as their trigger is deleted', orphaned],
      ['Not begun with, or not ended, and waiting on', this.#left],
    ]
    const told = lines.filter(([, count]) => count > 0).map(([text, count]) => `${text}: ${count}.`)
    return [`Replayed: ${lettersText(replayed)}.`, ...told].join('\n')
  }

  leftText(): string {
    return `${lettersText(this.#ended.replayed)} replayed, ${this.#left} left: replay those once it is back`
  }

  /** @throws RelayError naming the first failure, or the triggers that are missing and the cure */
  assertAllReplayed(): void {
    if (this.#firstFailure) {
      const { id, error } = this.#firstFailure
      const many = this.#ended.failed
      throw new RelayError(
        error.code,
        `${many === 1 ? '' : `${lettersText(many)} failed again; the first: `}dead letter ${id}: ${error.message}`,
        { cause: error },
      )
    }
    if (this.#orphanedOf.size === 0) return
    const names = [...this.#orphanedOf].map((name) => `"${name}"`).join(', ')
    throw new RelayError(
      'NOT_FOUND',
      `trigger ${names} is deleted: make one of that name (\`bpmn-relay trigger create\`), which its letters then go to, or discard them (\`bpmn-relay dead-letter discard --trigger NAME\`)`,
    )
  }
}

function jsonOf(replayed: Replayed): Record<string, unknown> {
  switch (replayed.kind) {
    case 'replayed': {
      const { kind: outcome, ...details } = replayed.outcome
      return { id: replayed.id, result: 'replayed', outcome, ...details }
    }
    case 'failed': {
      const { id, error } = replayed
      return { id, result: 'failed', code: error.code, description: error.message }
    }
    case 'gone':
      return { id: replayed.id, result: 'gone' }
    case 'orphaned':
      return { id: replayed.id, result: 'orphaned', trigger: replayed.trigger }
  }
}

function textOf(replayed: Replayed): string {
  switch (replayed.kind) {
    case 'replayed':
      return outcomeText(replayed.outcome)
    case 'failed':
      return `failed again: ${replayed.error.code}: ${replayed.error.message}`
    case 'gone':
      return 'left alone: somebody else has it in hand or was quicker'
    case 'orphaned':
      return `left alone: trigger "${replayed.trigger}" is deleted`
  }
}

function outcomeText(outcome: TriggerOutcome): string {
  switch (outcome.kind) {
    case 'started':
      return `replayed: process instance ${outcome.instance.processInstanceKey} is started`
    case 'correlated':
      return outcome.messageKey === null
        ? 'replayed: the engine has the message already'
        : `replayed: the engine has taken message ${outcome.messageKey}`
    case 'forwarded':
      return `replayed: forwarded to topic ${outcome.receipt.topic}`
    case 'passed-over':
      return 'replayed: passed over, as its activation condition is not true or its module drops it'
    case 'repeated':
    case 'skipped':
    case 'dead-letter':
    case 'failed':
      return outcome.kind
  }
}
