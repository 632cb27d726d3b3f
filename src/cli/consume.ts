import { once } from 'node:events'
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { AdapterAdmin } from '../admin/adapter-admin.js'
import type { StartPosition } from '../brokers/operator.js'
import { parseMoment, wholeNumber } from './arguments.js'
import { withAdapterAdmin } from './context.js'
import { type MessageFormat, parseMessageFormat } from './message-format.js'
import { type Show, type ShownMessage, showBase64, showDeserialized, showRaw } from './shown-message.js'
import { firstSignal, Interrupted } from './signals.js'

const MOST = Number.MAX_SAFE_INTEGER
const MOST_PARTITION = 2 ** 31 - 1

export function addConsumeCommand(program: Command): void {
  program
    .command('consume')
    .description('Print the messages of a topic. Disturbs no consumer group and commits nothing.')
    .requiredOption('--adapter <name>', 'the adapter to go through, by name or id')
    .requiredOption('--topic <topic>', 'which to read')
    .option(
      '--from <position>',
      'earliest, latest, an offset, or a time: 2026-01-31T08:00:00Z, or 30m, 1h, 7d ago (default: earliest; with --follow latest)',
      parsePosition,
    )
    .addOption(new Option('--from-beginning', 'the same as --from earliest').conflicts('from'))
    .option(
      '--partition <number>',
      'of this partition (RocketMQ: queue) only',
      wholeNumber(0, MOST_PARTITION),
    )
    .option('--broker <name>', 'RocketMQ: of the queues of this broker only')
    .option('--tag <tag...>', 'RocketMQ: with one of these tags only')
    .option('--max <count>', 'at most so many', wholeNumber(1, MOST))
    .option('--follow', 'wait for more at the end, until Ctrl-C')
    .option('--format <format>', 'value, json, or a text with tokens as kcat has them', parseMessageFormat)
    .addOption(
      new Option(
        '--raw',
        "print keys and values as the bytes they are, without the adapter's serialization",
      ).conflicts('base64'),
    )
    .option('--base64', 'print keys and values as base64')
    .addHelpText(
      'after',
      `
Keys and values are read by the adapter's serialization. What it cannot read is printed as {"base64": "…"}, with the
reason on standard error (format json: also as "error"), and reading goes on.

Formats: value (default) prints values, one a line, and null for a tombstone; json one object a message; else a text
with %t topic, %p partition, %o offset, %T timestamp, %k key, %K its length, %s value, %S its length, %h headers.
Lengths are in bytes of the message.

Examples:
  bpmn-relay consume --adapter orders-kafka --topic orders --from 1h --format json | jq .value
  bpmn-relay consume --adapter orders-kafka --topic orders --partition 0 --from 42 --max 1
  bpmn-relay consume --adapter orders-kafka --topic images --max 1 --raw > message
  bpmn-relay consume --adapter orders-kafka --topic orders --follow --format '%p %o %k: %s\\n'
  bpmn-relay consume --adapter orders-rocketmq --topic orders --tag created paid --format json`,
    )
    .action(consume)
}

/** @throws InvalidArgumentError */
export function parsePosition(text: string): StartPosition {
  if (text === 'earliest' || text === 'latest') return { at: text }
  if (/^\d{1,19}$/.test(text)) return { at: 'offset', offset: text }
  try {
    return { at: 'time', time: parseMoment(text).getTime() }
  } catch {
    throw new InvalidArgumentError(
      'Give earliest, latest, an offset, a duration back from now such as 1h, or a time such as 2026-01-31T08:00:00Z.',
    )
  }
}

interface ConsumeOptions {
  adapter: string
  topic: string
  from?: StartPosition
  fromBeginning?: true
  partition?: number
  broker?: string
  tag?: string[]
  max?: number
  follow?: true
  format?: MessageFormat
  raw?: true
  base64?: true
}

async function consume(options: ConsumeOptions, command: Command): Promise<void> {
  const {
    topic,
    partition,
    broker,
    tag: tags,
    max,
    follow = false,
    format = parseMessageFormat('value'),
  } = options
  const from = options.from ?? { at: follow && !options.fromBeginning ? 'latest' : 'earliest' }
  if (from.at === 'latest' && !follow) {
    command.error('error: from the latest on there is nothing yet: add --follow to wait for it')
  }
  if (from.at === 'offset' && partition === undefined) {
    command.error('error: each partition has its own offsets: add --partition')
  }
  const stopping = new AbortController()
  let interruption: Interrupted | undefined
  void firstSignal().then((signal) => {
    interruption = new Interrupted(signal)
    stopping.abort()
  })
  let fault: unknown
  await withAdapterAdmin(options.adapter, async (admin) => {
    const show = showOf(admin, options)
    const read = admin.can('consume')
    await read(
      { topic, from, partition, broker, tags, max, follow, signal: stopping.signal },
      async (message) => {
        try {
          await print(await show(message), format)
        } catch (thrown) {
          fault = thrown
          stopping.abort()
        }
      },
    )
  })
  if (fault !== undefined) throw fault
  if (interruption && !follow) throw interruption
}

function showOf(admin: AdapterAdmin, { raw, base64 }: ConsumeOptions): Show {
  if (raw) return showRaw
  return base64 ? showBase64 : showDeserialized(admin.serializers(), admin.adapter)
}

async function print(message: ShownMessage, format: MessageFormat): Promise<void> {
  const { topic, partition, offset, problem, skipped } = message
  const tell = (what: string): void => console.error(`${topic} [${partition}] ${offset}: ${what}`)
  if (problem) tell(`${problem.code}: ${problem.description}`)
  if (skipped) tell("the adapter's module drops it")
  if (!process.stdout.write(format(message))) await once(process.stdout, 'drain')
}
