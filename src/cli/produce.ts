import { readFile } from 'node:fs/promises'
import { type Command, Option } from 'commander'
import type { Adapter } from '../adapters/adapter.js'
import { fieldOf, type Side } from '../adapters/serialization/serializer.js'
import type { AdapterAdmin } from '../admin/adapter-admin.js'
import type { AdminMessage, Given, Published } from '../admin/publish.js'
import type { HeaderValue, Receipt } from '../brokers/broker.js'
import { messageOf, RelayError, toRelayError } from '../core/errors.js'
import { linesOf } from '../core/lines.js'
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
import { jsonOfText } from './value-text.js'

/** Messages on their way at the same time, at most; reading waits for them. */
const MOST_ON_THE_WAY = 1000
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
    .addOption(
      new Option(
        '--key-separator <text>',
        "each line is a key, this text and a value (Kafka's parse.key and key.separator)",
      ).conflicts(['key', 'file', 'tombstone']),
    )
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
    .addOption(new Option('--file <file>', 'one message: the content of this file').conflicts('tombstone'))
    .option('--tombstone', 'one message without a value, which deletes its key from a compacted topic')
    .option('--null-marker <text>', "a value of this text is a tombstone, a key none (Kafka's null.marker)")
    .option('--raw', "send keys and values as the bytes they are, without the adapter's serialization")
    .option('--json', 'one JSON object a message: where it is, or why it is not')
    .addHelpText(
      'after',
      `
Keys and values go through the adapter's serialization. With string, uuid and bytes (base64) they are written as they
are; with the numbers and boolean as JSON has them; with json, avro, json-schema, protobuf and custom as JSON on one
line. What does not fit is refused with its line, and nothing behind that line sets out any more.
Every message gets a header x-request-id and a row in the audit log. The adapter's rate limit is kept.

Examples:
  echo '{"order": 1}' | bpmn-relay produce --adapter orders-kafka --topic orders --key 1 --header source=console
  bpmn-relay produce --adapter orders-kafka --topic orders --key-separator : < orders.txt
  bpmn-relay produce --adapter orders-kafka --topic images --raw --file order.png
  bpmn-relay produce --adapter orders-kafka --topic customers --key 42 --tombstone
  bpmn-relay produce --adapter orders-rocketmq --topic orders --tag created --keys 1 eu < orders.jsonl`,
    )
    .action(produce)
}

interface ProduceOptions extends RocketmqOptions {
  adapter: string
  topic: string
  key?: string
  keySeparator?: string
  header?: [string, string][]
  partition?: number
  timestamp?: number
  file?: string
  tombstone?: true
  nullMarker?: string
  raw?: true
  json?: true
}

async function produce(options: ProduceOptions): Promise<void> {
  const { topic, file, tombstone } = options
  const single = tombstone ? null : file === undefined ? undefined : await contentOf(file)
  await withAdapterAdmin(options.adapter, async (admin) => {
    const inputs = single === undefined ? linesOf(process.stdin) : [single]
    const { receipts, skipped, failure } = await publishEach(admin, inputs, options)
    if (failure) {
      const where = single === undefined ? `line ${failure.number}: ` : ''
      const before = receipts.length > 0 ? `; ${countOf(receipts.length)} published` : ''
      const { code, message } = failure.error
      throw new RelayError(code, `${where}${message}${before}`, { cause: failure.error })
    }
    if (options.json) return
    if (receipts.length > 0) console.log(summary(topic, receipts))
    if (skipped > 0) {
      console.log(`${countOf(skipped)} skipped: the adapter's module drops ${skipped > 1 ? 'them' : 'it'}.`)
    }
    if (receipts.length + skipped === 0) console.log('Standard input was empty: nothing is published.')
  })
}

interface Ended {
  receipts: Receipt[]
  skipped: number
  /** The first in the order of the lines. */
  failure: { number: number; error: RelayError } | undefined
}

/** A line goes out at once when nothing is on its way; lines that come meanwhile go together. */
async function publishEach(
  admin: AdapterAdmin,
  inputs: AsyncIterable<Buffer> | Iterable<Buffer | null>,
  options: ProduceOptions,
): Promise<Ended> {
  const { createPublisher } = await import('../admin/publish.js')
  const publish = createPublisher(admin)
  const messageOfInput = messageMaker(admin.adapter, options)
  const ended: Ended = { receipts: [], skipped: 0, failure: undefined }

  const send = async (input: Buffer | null, number: number): Promise<void> => {
    let end: Published | Refusal
    try {
      end = await publish(messageOfInput(input))
    } catch (thrown) {
      end = { kind: 'refused', error: toRelayError(thrown) }
    }
    const told = note(ended, number, end, options.topic)
    if (options.json && told) console.log(JSON.stringify(told))
  }
  const onTheWay = new Set<Promise<void>>()
  let number = 0
  for await (const input of inputs) {
    const sent = send(input, ++number).finally(() => onTheWay.delete(sent))
    onTheWay.add(sent)
    if (onTheWay.size >= MOST_ON_THE_WAY) await sent
    if (ended.failure) break
  }
  await Promise.all(onTheWay)
  return ended
}

/** Of a line that is no message, or of one that could not be recorded. */
type Refusal = { kind: 'refused'; error: RelayError }

/** Notes how a message ended; what programs are told of it. */
function note(
  ended: Ended,
  number: number,
  end: Published | Refusal,
  topic: string,
): Record<string, unknown> | undefined {
  switch (end.kind) {
    case 'published':
      ended.receipts.push(end.receipt)
      return { requestId: end.requestId, ...end.receipt }
    case 'skipped':
      ended.skipped++
      return { requestId: end.requestId, topic, skipped: true }
    case 'refused': {
      const { error } = end
      if (!ended.failure || number < ended.failure.number) ended.failure = { number, error }
      return { line: number, code: error.code, description: error.message }
    }
    case 'unsent':
      return undefined
    default:
      return end satisfies never
  }
}

/** Makes messages of lines, or of the content of a file. @throws RelayError INPUT_INVALID, VALUE_NOT_SERIALIZABLE */
function messageMaker(
  { keySerialization, valueSerialization }: Adapter,
  options: ProduceOptions,
): (input: Buffer | null) => AdminMessage {
  const { topic, raw, file, keySeparator: separator, nullMarker, partition, timestamp } = options
  const headers = headersOf(options.header ?? [])
  const serializations = { key: keySerialization, value: valueSerialization }

  const given = (bytes: Buffer, side: Side): Given => {
    if (nullMarker !== undefined && bytes.equals(Buffer.from(nullMarker))) return null
    // A file holds the bytes themselves, not their base64 text.
    const isBytes = raw || (side === 'value' && file !== undefined && valueSerialization === 'bytes')
    return isBytes ? { bytes } : { json: jsonOfText(bytes, serializations[side], fieldOf(side)) }
  }
  // As in tasks, an empty key is none.
  const keyOf = (bytes: Buffer): Given => (bytes.length === 0 && !raw ? null : given(bytes, 'key'))
  const key = options.key === undefined ? undefined : keyOf(Buffer.from(options.key))

  return (input) => {
    const [ownKey, value] =
      separator === undefined || input === null ? [undefined, input] : splitAt(input, separator)
    return {
      topic,
      headers,
      partition,
      timestamp,
      ...rocketmqFields(options),
      value: value === null ? null : given(value, 'value'),
      ...(key !== undefined && { key }),
      ...(ownKey !== undefined && { key: keyOf(ownKey) }),
    }
  }
}

function splitAt(line: Buffer, separator: string): [key: Buffer, value: Buffer] {
  const at = line.indexOf(separator)
  if (at >= 0) return [line.subarray(0, at), line.subarray(at + Buffer.byteLength(separator))]
  throw new RelayError(
    'INPUT_INVALID',
    `there is no key: write it as key, ${JSON.stringify(separator)} and value, or leave --key-separator out`,
  )
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

function summary(topic: string, receipts: readonly Receipt[]): string {
  const [only] = receipts
  if (receipts.length > 1 || only === undefined) {
    return `${countOf(receipts.length)} published to topic ${topic}.`
  }
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
