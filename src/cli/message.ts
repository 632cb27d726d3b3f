import type { Command } from 'commander'
import type { MessageRecord } from '../brokers/operator.js'
import { textOrBase64 } from '../core/base64.js'
import { parseMoment, wholeNumber } from './arguments.js'
import { withAdapterAdmin } from './context.js'

const ADAPTER = ['--adapter <name>', 'the adapter to go through, by name or id'] as const
const TOPIC = ['--topic <topic>', 'which it was published to'] as const
const DEFAULT_MAX = 32
const MOST = 10_000

export function addMessageCommands(program: Command): void {
  const message = program
    .command('message')
    .description('Look up messages of RocketMQ: by id, key and time. Disturbs no consumer group.')

  message
    .command('get <id>')
    .description('Show a message by the id of its receipt (messageId), or by the id that names its place.')
    .requiredOption(...ADAPTER)
    .requiredOption(...TOPIC)
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Example:
  bpmn-relay message get 7F00000100002A9F0000000000001A2B --adapter orders-rocketmq --topic orders`,
    )
    .action(getMessage)

  message
    .command('list')
    .description(
      'Show the newest messages of a topic, the newest last: by key, by the time they were stored.',
    )
    .requiredOption(...ADAPTER)
    .requiredOption(...TOPIC)
    .option('--key <key>', 'with this key')
    .option('--since <time>', 'stored then or later: 30m, 1h, 7d ago, or an ISO 8601 time', parseMoment)
    .option('--until <time>', 'stored before: likewise', parseMoment)
    .option('--max <count>', 'at most so many', wholeNumber(1, MOST), DEFAULT_MAX)
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Brokers give at most 64 messages for a key, each: a shorter time finds more.

Examples:
  bpmn-relay message list --adapter orders-rocketmq --topic orders --key 4711
  bpmn-relay message list --adapter orders-rocketmq --topic orders --since 2026-01-31T08:00:00Z --until 2026-01-31T08:05:00Z`,
    )
    .action(listMessages)
}

interface GetOptions {
  adapter: string
  topic: string
  json?: true
}

async function getMessage(id: string, { adapter, topic, json }: GetOptions): Promise<void> {
  await withAdapterAdmin(adapter, async (admin) => {
    const copies = await admin.can('findMessages')(topic, id)
    if (json) {
      print(copies, json)
      return
    }
    if (copies.length > 1) console.log(`The brokers hold ${copies.length} copies of it.\n`)
    print(copies)
  })
}

interface ListOptions {
  adapter: string
  topic: string
  key?: string
  since?: Date
  until?: Date
  max: number
  json?: true
}

async function listMessages(options: ListOptions): Promise<void> {
  const { adapter, topic, key, since, until, max, json } = options
  await withAdapterAdmin(adapter, async (admin) => {
    const query = { topic, key, max, since: since?.getTime(), until: until?.getTime() }
    const messages = await admin.can('queryMessages')(query)
    if (messages.length === 0 && !json) {
      console.log(`No such messages in topic ${topic}.`)
      return
    }
    print(messages, json)
    if (messages.length === max && !json) console.log(`\nThere may be more: --max ${max} is reached.`)
  })
}

function print(messages: MessageRecord[], json?: true): void {
  if (json) console.log(JSON.stringify(messages.map(jsonOf), null, 2))
  else console.log(messages.map(textOf).join('\n\n'))
}

function jsonOf({ value, ...message }: MessageRecord): Record<string, unknown> {
  return { ...message, value: textOrBase64(value) }
}

function textOf(message: MessageRecord): string {
  const { topic, broker, queue, offset, messageId, offsetMessageId, tag, keys, properties, value } = message
  const { storedAt, bornAt, bornHost, reconsumeTimes } = message
  const rows: [string, string][] = [
    ['place', `topic ${topic}, queue ${queue} of ${broker}, offset ${offset}`],
    ['place id', offsetMessageId],
    ['sent', `${new Date(bornAt).toISOString()} from ${bornHost}`],
    ['stored', new Date(storedAt).toISOString()],
    ['sent back', reconsumeTimes === 1 ? 'once' : `${reconsumeTimes} times`],
    ['tag', tag ?? '-'],
    ['keys', keys.join(' ') || '-'],
    ...Object.entries(properties).map(([name, text]): [string, string] => ['property', `${name}=${text}`]),
  ]
  const lines = rows
    .filter(([title]) => title !== 'sent back' || reconsumeTimes > 0)
    .map(([title, text]) => `  ${title.padEnd(10)}${printable(text)}`)
  const body = textOrBase64(value)
  const content = typeof body === 'string' ? body : JSON.stringify(body)
  return [
    `Message ${messageId}`,
    ...lines,
    `  body      ${value.length === 1 ? '1 byte' : `${value.length} bytes`}`,
    content,
  ].join('\n')
}

/** What others wrote must not steer the terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
}
