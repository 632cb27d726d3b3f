import { crc32c } from '@node-rs/crc32'
import type { HeaderValue, OutboundMessage } from '../broker.js'
import type { Compress } from './compression.js'

/** Of the format, as https://kafka.apache.org/documentation/#recordbatch lays it out. */
const HEAD_BYTES = 61
const LENGTH_AT = 8
const MAGIC_AT = 16
const MAGIC = 2
const CRC_AT = 17
const CHECKED_FROM = 21
const NO_LEADER_EPOCH = -1

const NULL = 1

/** Under what a broker recognizes a batch that is sent again. */
export interface Numbering {
  producerId: bigint
  epoch: number
  /** Of the batch's first message. */
  sequence: number
}

/** Of batches no broker is to recognize. */
export const UNNUMBERED: Numbering = { producerId: -1n, epoch: -1, sequence: -1 }

export interface BatchContent {
  messages: readonly OutboundMessage[]
  /** Upper bound of the encoded records. */
  maxBytes: number
  /** Time of the messages that have none of their own, milliseconds since 1970. */
  sentAt: number
  numbering: Numbering
}

/** Encodes messages as one record batch of format 2. @param compress undefined: not compressed. */
export async function encodeRecordBatch(
  { messages, maxBytes, sentAt, numbering }: BatchContent,
  compress: Compress | undefined,
): Promise<Buffer> {
  let baseTime = Number.POSITIVE_INFINITY
  let maxTime = 0
  for (const { timestamp = sentAt } of messages) {
    if (timestamp < baseTime) baseTime = timestamp
    if (timestamp > maxTime) maxTime = timestamp
  }
  const writer = new RecordWriter(HEAD_BYTES + maxBytes, HEAD_BYTES)
  for (let i = 0; i < messages.length; i++) {
    const message = messages[i]
    if (message) writer.record(message, i, (message.timestamp ?? sentAt) - baseTime)
  }
  let batch = writer.written()
  if (compress) {
    batch = Buffer.concat([
      batch.subarray(0, HEAD_BYTES),
      await compress.compress(batch.subarray(HEAD_BYTES)),
    ])
  }
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.length - LENGTH_AT - 4, LENGTH_AT)
  batch.writeInt32BE(NO_LEADER_EPOCH, 12)
  batch.writeInt8(MAGIC, MAGIC_AT)
  batch.writeInt16BE(compress?.attribute ?? 0, CHECKED_FROM)
  batch.writeInt32BE(messages.length - 1, 23)
  batch.writeBigInt64BE(BigInt(baseTime), 27)
  batch.writeBigInt64BE(BigInt(maxTime), 35)
  batch.writeBigInt64BE(numbering.producerId, 43)
  batch.writeInt16BE(numbering.epoch, 51)
  batch.writeInt32BE(numbering.sequence, 53)
  batch.writeInt32BE(messages.length, 57)
  batch.writeUInt32BE(crc32c(batch.subarray(CHECKED_FROM)), CRC_AT)
  return batch
}

/** Upper bound of a message's record: each length below takes at most five bytes, the time ten. */
export function maxRecordBytes({ key, value, headers }: OutboundMessage): number {
  let bytes = 40 + (key?.length ?? 0) + (value?.length ?? 0)
  for (const name of Object.keys(headers)) {
    for (const header of valuesOf(headers[name])) {
      bytes += 10 + Buffer.byteLength(name) + Buffer.byteLength(header)
    }
  }
  return bytes
}

class RecordWriter {
  readonly #buffer: Buffer
  #at: number

  constructor(size: number, start: number) {
    this.#buffer = Buffer.allocUnsafe(size)
    this.#at = start
  }

  written(): Buffer {
    return this.#buffer.subarray(0, this.#at)
  }

  record({ key, value, headers }: OutboundMessage, offsetDelta: number, timeDelta: number): void {
    let headerCount = 0
    let bytes =
      1 + varintBytes(2 * timeDelta) + varintBytes(2 * offsetDelta) + dataBytes(key) + dataBytes(value)
    for (const name in headers) {
      for (const header of valuesOf(headers[name])) {
        headerCount++
        bytes += dataBytes(name) + dataBytes(header)
      }
    }
    bytes += varintBytes(2 * headerCount)

    this.#varint(2 * bytes)
    this.#buffer[this.#at++] = 0
    this.#varint(2 * timeDelta)
    this.#varint(2 * offsetDelta)
    this.#data(key)
    this.#data(value)
    this.#varint(2 * headerCount)
    for (const name in headers) {
      for (const header of valuesOf(headers[name])) {
        this.#data(name)
        this.#data(header)
      }
    }
  }

  #data(data: string | Buffer | null | undefined): void {
    if (data == null) {
      this.#buffer[this.#at++] = NULL
    } else if (typeof data === 'string') {
      this.#varint(2 * Buffer.byteLength(data))
      this.#at += this.#buffer.write(data, this.#at)
    } else {
      this.#varint(2 * data.length)
      this.#at += data.copy(this.#buffer, this.#at)
    }
  }

  /** By division, as times exceed the 32 bits of shifts. Numbers are never negative here: zigzag doubles them. */
  #varint(zigzag: number): void {
    let rest = zigzag
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#at++] = rest
  }
}

function varintBytes(zigzag: number): number {
  let bytes = 1
  for (let rest = zigzag; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

function dataBytes(data: string | Buffer | null | undefined): number {
  if (data == null) return 1
  const bytes = typeof data === 'string' ? Buffer.byteLength(data) : data.length
  return varintBytes(2 * bytes) + bytes
}

function valuesOf(header: HeaderValue | undefined): readonly (string | Buffer)[] {
  if (Array.isArray(header)) return header
  return header === undefined ? [] : [header]
}
