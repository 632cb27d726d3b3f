import { type Command, Option } from 'commander'
import { DEAD_LETTER_STATES, type DeadLetterState } from '../trigger/dead-letter.js'
import type { DeadLetterSummary } from '../trigger/dead-letters.js'
import { wholeNumber } from './arguments.js'
import { withAdminContext, withWorkbench } from './context.js'
import {
  type ChoiceOptions,
  choiceOf,
  type FilterOptions,
  isWanted,
  lettersText,
  withChoice,
  withFilter,
} from './dead-letter-choice.js'
import { addReplayCommand } from './dead-letter-replay.js'
import { showDeadLetter } from './dead-letter-show.js'
import { table } from './table.js'

const DEFAULT_LIMIT = 50
const MOST_ROWS = 10_000

export function addDeadLetterCommands(program: Command): void {
  const deadLetter = program
    .command('dead-letter')
    .description(
      'Dead letters: messages that triggers gave up. Each waits until it is replayed or discarded.',
    )

  withFilter(deadLetter.command('list'))
    .description('Show dead letters, the latest first, page by page.')
    .addOption(
      new Option('--state <state>', 'in this state')
        .choices([...DEAD_LETTER_STATES, 'any'])
        .default('waiting'),
    )
    .option('--request-id <id>', 'with this request id')
    .option('--limit <count>', 'rows of a page at most', wholeNumber(1, MOST_ROWS), DEFAULT_LIMIT)
    .option('--page <place>', 'the page that begins there, as the page before tells at its end')
    .option('--total', 'also tell how many there are')
    .option('--json', 'one JSON object a line, without keys, values and headers')
    .addHelpText(
      'after',
      `
A state is waiting, replayed or discarded. A stage is where the message was given up: deserialize, condition,
variables, correlation (the expressions of its key or id), action (the engine or broker refused it) or completion (the
instance did not end in time). A letter must match all options given.

Examples:
  bpmn-relay dead-letter list
  bpmn-relay dead-letter list --trigger start-orders --error-code EXPRESSION_INVALID --total
  bpmn-relay dead-letter list --state any --since 7d --json | jq .errorText`,
    )
    .action(listLetters)

  deadLetter
    .command('show <id>')
    .description('Show one dead letter whole: why, where from, headers, key and value.')
    .addOption(new Option('--raw', "without the adapter's serialization").conflicts('base64'))
    .option('--base64', 'key and value as base64')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Key and value are read by the adapter's serialization, as consume reads them. What it cannot read is shown as text, or
as {"base64": "…"} where it is none, with the reason on standard error.

Examples:
  bpmn-relay dead-letter show 0198b3f0-5f6e-7c31-9d2e-4b1a7c0de001
  bpmn-relay dead-letter show 0198b3f0-5f6e-7c31-9d2e-4b1a7c0de001 --base64 --json | jq -r .value | base64 -d`,
    )
    .action(showDeadLetter)

  addReplayCommand(deadLetter)

  withChoice(deadLetter.command('discard [id...]'))
    .description(
      'Wait for letters no more. They can be listed until BPMN_RELAY_DEAD_LETTER_RETENTION_DAYS are over.',
    )
    .requiredOption('--reason <text>', 'why; kept with the letter and in the audit log')
    .addHelpText(
      'after',
      `
Examples:
  bpmn-relay dead-letter discard 0198b3f0-5f6e-7c31-9d2e-4b1a7c0de001 --reason 'a test message'
  bpmn-relay dead-letter discard --trigger start-orders --until 30d --reason 'entered by hand' --yes`,
    )
    .action(discard)
}

interface ListOptions extends FilterOptions {
  state: DeadLetterState | 'any'
  requestId?: string
  limit: number
  page?: string
  total?: true
  json?: true
}

async function listLetters({ limit, page, total, json, state, ...options }: ListOptions): Promise<void> {
  const { deadLetterCount, deadLetterPage } = await import('../trigger/dead-letters.js')
  await withWorkbench(async ({ database }) => {
    const filter = { ...options, state: state === 'any' ? undefined : state }
    const { letters, next } = await deadLetterPage(database, filter, { limit, after: page })
    if (json) for (const letter of letters) console.log(JSON.stringify(letter))
    else if (letters.length === 0) console.log(`No dead letters match.`)
    else console.log(lettersTable(letters))
    if (total) console.error(`${await deadLetterCount(database, filter)} dead letters match.`)
    if (next !== null) console.error(`There are more: --page ${next} shows them.`)
  })
}

/** What people want to see of dead letters. */
export function lettersTable(letters: readonly DeadLetterSummary[]): string {
  const columns = [
    { title: 'AT' },
    { title: 'STATE' },
    { title: 'TRIGGER' },
    { title: 'TOPIC' },
    { title: 'PARTITION', align: 'right' },
    { title: 'OFFSET', align: 'right' },
    { title: 'ATTEMPTS', align: 'right' },
    { title: 'STAGE' },
    { title: 'ID' },
    { title: 'ERROR' },
  ] as const
  const rows = letters.map((letter) => [
    `${letter.at.toISOString().slice(0, 19)}Z`,
    letter.state,
    letter.triggerName,
    letter.topic,
    String(letter.partition),
    letter.offset,
    String(letter.attempts),
    letter.stage,
    letter.id,
    `${letter.errorCode}: ${letter.errorText}`,
  ])
  return table(columns, rows)
}

async function discard(
  ids: string[],
  { reason, ...options }: ChoiceOptions & { reason: string },
  command: Command,
): Promise<void> {
  const { yes } = options
  const choice = choiceOf(ids, options, command)
  const { chosenLetters } = await import('../trigger/resolve-dead-letters.js')
  const { discardDeadLetters } = await import('../admin/dead-letter-admin.js')
  await withAdminContext(async (context) => {
    const chosen = await chosenLetters(context.database, choice)
    if (!(await isWanted('Discard', chosen.length, { choice, yes }, command))) return
    const discarded = await discardDeadLetters(context, chosen, reason)
    const left = chosen.length - discarded
    console.log(`Discarded: ${lettersText(discarded)}.`)
    if (left > 0) console.log(`Left alone, as somebody else has them in hand or was quicker: ${left}.`)
  })
}
