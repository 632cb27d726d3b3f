import type { Command } from 'commander'
import type { TriggerAction } from '../trigger/trigger.js'
import { DEFAULT_MESSAGE_TTL_MS } from '../trigger/trigger-defaults.js'
import { parseMilliseconds, parseVersion } from './arguments.js'

/** What is given of what a trigger does. */
export interface ActionOptions {
  start?: string
  processVersion?: number | null
  message?: string
  correlationKey?: string
  messageId?: string | false
  ttl?: number
  forward?: string
  forwardTopic?: string
}

export function withActionOptions(command: Command): Command {
  return command
    .option('--start <process>', 'start an instance of the process with this BPMN id')
    .option('--process-version <version>', 'of that process; default: newest', parseVersion)
    .option('--message <name>', 'or: correlate the BPMN message of this name')
    .option('--correlation-key <feel>', 'what the process that waits is known by; needed with --message')
    .option('--message-id <feel>', 'what the engine knows a repetition by; default: its id at the broker')
    .option(
      '--ttl <duration>',
      `how long the engine keeps it for a process to come; default: ${DEFAULT_MESSAGE_TTL_MS / 3_600_000}h`,
      parseMilliseconds,
    )
    .option('--forward <adapter>', 'or: publish it as it is through this adapter, by name or id')
    .option('--forward-topic <topic>', 'to this topic; default: one of the same name')
}

/**
 * What a trigger is to do; undefined where the options do not say.
 * @param known what it does so far: of the same kind, what is not given stays
 */
export async function actionOf(
  options: ActionOptions,
  known: TriggerAction | undefined,
  adapterOf: (idOrName: string) => Promise<{ id: string }>,
  command: Command,
): Promise<TriggerAction | undefined> {
  const { start, message, forward, processVersion, correlationKey, messageId, ttl, forwardTopic } = options
  switch (kindOf(options, known, command)) {
    case 'start':
      return {
        ...(known?.kind === 'start' ? known : NEW_START),
        ...(start !== undefined && { processId: start }),
        ...(processVersion !== undefined && { version: processVersion }),
      }
    case 'message':
      return {
        ...(known?.kind === 'message' ? known : NEW_MESSAGE),
        ...(message !== undefined && { name: message }),
        ...(correlationKey !== undefined && { correlationKey }),
        ...(messageId !== undefined && { messageId: messageId || null }),
        ...(ttl !== undefined && { ttlMs: ttl }),
      }
    case 'forward':
      return {
        ...(known?.kind === 'forward' ? known : NEW_FORWARD),
        ...(forward !== undefined && { adapterId: (await adapterOf(forward)).id }),
        ...(forwardTopic !== undefined && { topic: forwardTopic }),
      }
    case undefined:
      return undefined
  }
}

const NEW_START = { kind: 'start', processId: '', version: null } as const
const NEW_FORWARD = { kind: 'forward', adapterId: '', topic: null } as const
const NEW_MESSAGE = {
  ...({ kind: 'message', name: '', correlationKey: '', messageId: null } as const),
  ttlMs: DEFAULT_MESSAGE_TTL_MS,
}

/** Undefined where nothing is given of an action. */
function kindOf(
  options: ActionOptions,
  known: TriggerAction | undefined,
  command: Command,
): TriggerAction['kind'] | undefined {
  const given = KINDS.filter((kind) => options[kind] !== undefined)
  if (given.length > 1) {
    command.error('error: a trigger does one thing: give one of --start, --message and --forward')
  }
  const [kind = known?.kind] = given
  let isGiven = given.length > 0
  for (const [part, flag, of] of PARTS) {
    if (options[part] === undefined) continue
    if (of !== kind) command.error(`error: ${flag} goes with --${of} only`)
    isGiven = true
  }
  return isGiven ? kind : undefined
}

const KINDS = ['start', 'message', 'forward'] as const
const PARTS = [
  ['processVersion', '--process-version', 'start'],
  ['correlationKey', '--correlation-key', 'message'],
  ['messageId', '--message-id', 'message'],
  ['ttl', '--ttl', 'message'],
  ['forwardTopic', '--forward-topic', 'forward'],
] as const
