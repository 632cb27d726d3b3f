import { type Command, Option } from 'commander'
import { DEAD_LETTER_STAGES } from '../trigger/dead-letter.js'
import type { DeadLetterFilter } from '../trigger/dead-letters.js'
import type { DeadLetterChoice } from '../trigger/resolve-dead-letters.js'
import { parseMoment } from './arguments.js'
import { confirm } from './ask.js'

export type FilterOptions = Omit<DeadLetterFilter, 'state' | 'requestId'>

export interface ChoiceOptions extends FilterOptions {
  all?: true
  yes?: true
}

export function withFilter(command: Command): Command {
  return command
    .option('--trigger <name>', 'of this trigger, by name or id')
    .option('--adapter <name>', 'received through this adapter, by name or id')
    .option('--topic <topic>', 'from this topic')
    .option('--error-code <code>', 'with this error code')
    .addOption(new Option('--stage <stage>', 'given up there').choices(DEAD_LETTER_STAGES))
    .option('--since <time>', 'given up not before: 30m, 1h, 7d ago, or an ISO 8601 time', parseMoment)
    .option('--until <time>', 'given up before: likewise', parseMoment)
}

/** Of letters that wait: by id, or all that a filter finds. */
export function withChoice(command: Command): Command {
  return withFilter(command)
    .option('--all', 'all that wait')
    .option('--yes', 'do not ask, where none are named by id')
}

/** What is chosen; anything else is refused as wrong usage. */
export function choiceOf(ids: readonly string[], options: ChoiceOptions, command: Command): DeadLetterChoice {
  const { trigger, adapter, topic, errorCode, stage, since, until, all } = options
  const filter = { trigger, adapter, topic, errorCode, stage, since, until }
  const isFiltered = Object.values(filter).some((value) => value !== undefined)
  if ([ids.length > 0, isFiltered, all === true].filter(Boolean).length !== 1) {
    command.error(
      'error: say which: ids, or --trigger, --adapter, --topic, --error-code, --stage, --since, --until, or --all alone',
    )
  }
  return ids.length > 0 ? { ids } : { filter }
}

/** Whether to go on with what was chosen. Letters that are named by id need no question. */
export async function isWanted(
  verb: 'Discard' | 'Replay',
  count: number,
  { choice, yes }: { choice: DeadLetterChoice; yes: true | undefined },
  command: Command,
): Promise<boolean> {
  if ('filter' in choice && count === 0) console.log('No waiting dead letters match.')
  if (count === 0) return false
  const { MOST_CHOSEN } = await import('../trigger/resolve-dead-letters.js')
  if (count === MOST_CHOSEN) console.error(`These are the oldest ${MOST_CHOSEN}: there may be more.`)
  return 'ids' in choice || yes === true || (await confirm(`${verb} ${lettersText(count)}?`, command))
}

export function lettersText(count: number): string {
  return count === 1 ? '1 dead letter' : `${count} dead letters`
}
