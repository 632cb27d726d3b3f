import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import type { AdapterAdmin } from '../admin/adapter-admin.js'
import type { AdminMessage, Published } from '../admin/publish.js'
import type { HeaderValue, Receipt } from '../brokers/broker.js'
import { batching } from '../core/batching.js'
import { messageOf, RelayError, toRelayError } from '../core/errors.js'
import { collectPairs, parseTimestamp, wholeNumber } from './arguments.js'
import { withAdapterAdmin } from './context.js'
import {
  DELAY_LEVEL,
  DELIVER_AT,
  KEYS,
  MESSAGE_GROUP,
  PRODUCER_GROUP,
  type RocketmqOptions,
  rocketmqFields,
  TAG,
} from './rocketmq-options.js'

/** Lines that go out together at most; reading waits while so many are on their way. */
const BATCH = 500
const MOST_PARTITION = 2 ** 31 - 1

export function addProduceCommand(program: Command): void {
  program
    .command('produce')
    .description(
      'Publish messages through an adapter: each line of standard input is one, or a file as a whole.',
    )
    .requiredOption('--adapter <name>', 'the adapter to go through, by name or id')
    .requiredOption('--topic <topic>', 'where to')
    .option('--key <key>', 'key of the messages')
    .option(
      '--header <name=value>',
      'a header (RocketMQ: property) of the messages; may be repeated',
      collectPairs,
    )
    .option('--partition <number>', 'to this partition; wins over the key', wholeNumber(0, MOST_PARTITION))
    .option(
      '--timestamp <time>',
      'milliseconds since 1970 or an ISO 8601 time (default: now)',
      parseTimestamp,
    )
    .addOption(KEYS)
    .addOption(TAG)
    .addOption(DELAY_LEVEL)
    .addOption(DELIVER_AT)
    .addOption(MESSAGE_GROUP)
    .addOption(PRODUCER_GROUP)
    .option('--file <file>', 'one message: the bytes of this file')
    .option('--tombstone', 'one message without a value, which deletes its key from a compacted topic')
    .option('--json', 'one JSON object a message: where it is, or why it is not')
    .addHelpText(
      'after',
      `
Values go out as they are; the adapter's serialization is for the values of processes. Every message gets a header
x-request-id and a row in the audit log. Reading stops at the first message that is refused.

Examples:
  echo '{"order": 1}' | bpmn-relay produce --adapter orders-kafka --topic orders --key 1 --header source=console
  bpmn-relay produce --adapter orders-kafka --topic orders < orders.jsonl
  bpmn-relay produce --adapter orders-kafka --topic customers --key 42 --tombstone
  bpmn-relay produce --adapter orders-rocketmq --topic orders --tag created --keys 1 eu < orders.jsonl`,
    )
    .action(produce)
}

interface ProduceOptions extends RocketmqOptions {
  adapter: string
  topic: string
  key?: string
  header?: [string, string][]
  partition?: number
  timestamp?: number
  file?: string
  tombstone?: true
  json?: true
}

async function produce(options: ProduceOptions, command: Command): Promise<void> {
  const { topic, key, partition, timestamp, file, tombstone } = options
  if (tombstone && file !== undefined) command.error('error: --tombstone has no value: leave --file out')
  const headers = headersOf(options.header ?? [])
  const messageWith = (value: Buffer | null): AdminMessage => ({
    topic,
    value,
    headers,
    ...(key !== undefined && { key: Buffer.from(key) }),
    ...(partition !== undefined && { partition }),
    ...(timestamp !== undefined && { timestamp }),
    ...rocketmqFields(options),
  })
  const single = tombstone ? null : file === undefined ? undefined : await contentOf(file)
  await withAdapterAdmin(options.adapter, async (admin) => {
    const messages = single === undefined ? stdinLines() : [single]
    const { published, failure } = await publishEach(admin, messages, messageWith, options.json ?? false)
    if (failure) {
      const where = single === undefined ? `line ${failure.number}: ` : ''
      const before = published.length > 0 ? `; ${countOf(published.length)} published` : ''
      const { code, message } = failure.error
      throw new RelayError(code, `${where}${message}${before}`, { cause: failure.error })
    }
    if (!options.json) console.log(summary(topic, published))
  })
}

interface Ended {
  published: Receipt[]
  failure: { number: number; error: RelayError } | undefined
}

/** A line goes out at once when nothing is on its way; lines that come meanwhile go together. */
async function publishEach(
  admin: AdapterAdmin,
  values: AsyncIterable<Buffer> | Iterable<Buffer | null>,
  messageWith: (value: Buffer | null) => AdminMessage,
  json: boolean,
): Promise<Ended> {
  const { publishAll } = await import('../admin/publish.js')
  const sends = batching<AdminMessage, Published>(BATCH, async (messages) =>
    (await publishAll(admin, messages)).map((value) => ({ ok: true, value })),
  )
  const ended: Ended = { published: [], failure: undefined }
  let number = 0
  const send = async (value: Buffer | null, line: number): Promise<void> => {
    try {
      const result = await sends.add(messageWith(value))
      if ('error' in result) throw result.error
      ended.published.push(result.receipt)
      if (json) console.log(JSON.stringify({ requestId: result.requestId, ...result.receipt }))
    } catch (thrown) {
      const error = toRelayError(thrown)
      ended.failure ??= { number: line, error }
      if (json) console.log(JSON.stringify({ line, code: error.code, description: error.message }))
    }
  }
  const sending = new Set<Promise<void>>()
  for await (const value of values) {
    const sent = send(value, ++number).finally(() => sending.delete(sent))
    sending.add(sent)
    if (sends.waiting >= BATCH) await sent
    if (ended.failure) break
  }
  await Promise.all(sending)
  return ended
}

async function* stdinLines(): AsyncGenerator<Buffer> {
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY })
  for await (const line of lines) yield Buffer.from(line)
}

async function contentOf(file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    throw new RelayError('INPUT_INVALID', `--file ${file} cannot be read: ${messageOf(cause)}`, { cause })
  }
}

/** A name given many times becomes a header with many values. */
function headersOf(pairs: readonly [string, string][]): Record<string, HeaderValue> {
  const values = new Map<string, string[]>()
  for (const [name, value] of pairs) values.set(name, [...(values.get(name) ?? []), value])
  return Object.fromEntries(
    [...values].map(([name, [first = '', ...more]]) => [name, more.length > 0 ? [first, ...more] : first]),
  )
}

function summary(topic: string, published: readonly Receipt[]): string {
  const [only] = published
  if (only === undefined) return 'Standard input was empty: nothing is published.'
  if (published.length > 1) return `${countOf(published.length)} published to topic ${topic}.`
  switch (only.kind) {
    case 'kafka':
      return `Published to topic ${topic}: partition ${only.partition}, offset ${only.offset ?? 'unknown'}.`
    case 'rocketmq':
      return `Published to topic ${topic}: message ${only.messageId}${queueText(only)}.`
  }
}

function countOf(count: number): string {
  return count === 1 ? '1 message is' : `${count} messages are`
}

function queueText({ queueId, queueOffset }: Extract<Receipt, { kind: 'rocketmq' }>): string {
  const queue = queueId === null ? '' : `, queue ${queueId}`
  return queueOffset === null ? queue : `${queue}, offset ${queueOffset}`
}
