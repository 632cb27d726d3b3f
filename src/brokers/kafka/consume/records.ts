import { isUtf8 } from 'node:buffer'
import { crc32c } from '@node-rs/crc32'
import { RelayError } from '../../../core/errors.js'
import type { HeaderValue } from '../../broker.js'
import type { Queued } from '../../queue-work.js'
import { decompressed } from '../compression.js'

/** Of the format, as https://kafka.apache.org/documentation/#recordbatch lays it out. */
const HEAD_BYTES = 61
const LENGTH_AT = 8
const SIZE_BYTES = 12
const MAGIC_AT = 16
const MAGIC = 2
const CRC_AT = 17
const CHECKED_FROM = 21
const COMPRESSION = 0x07
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20
/** What the key of a control record says after its version: the transaction is aborted. */
const ABORT = 0
/** What stands in a text for bytes that are none. */
const REPLACEMENT = '\ufffd'
/** What a message takes in memory besides its bytes. */
const OVERHEAD_BYTES = 200

export interface FetchedMessage extends Queued {
  /** Milliseconds since 1970. */
  timestamp: number
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, HeaderValue>
}

/** A transaction that was aborted, among the records it is given with. */
export interface AbortedTransaction {
  producerId: bigint
  firstOffset: bigint
}

/**
 * The messages in the record batches of a partition from `from` on, those of aborted transactions aside.
 * @returns `end`: offset behind all that was there, messages or not; `from` when no batch is complete.
 * @throws RelayError
 */
export async function readRecords(
  records: Buffer,
  from: bigint,
  aborted: readonly AbortedTransaction[],
): Promise<{ messages: FetchedMessage[]; end: bigint }> {
  const transactions = new AbortedTransactions(aborted)
  const messages: FetchedMessage[] = []
  let end = from
  for (let at = 0; at + HEAD_BYTES <= records.length; ) {
    const next = at + SIZE_BYTES + records.readInt32BE(at + LENGTH_AT)
    const batch = records.subarray(at, next)
    const baseOffset = batch.readBigInt64BE(0)
    const fault = faultOf(batch, baseOffset, next > records.length)
    // Brokers cut off the last one where the answer is full. What is before one that cannot be read is taken first.
    if (next > records.length || (fault && end > from)) break
    if (fault) throw fault
    const attributes = batch.readInt16BE(21)
    const lastOffset = baseOffset + BigInt(batch.readInt32BE(23))
    const isWanted = transactions.isWanted(batch, attributes, lastOffset)
    if (isWanted && lastOffset >= from) {
      const body = await decompressed(batch.subarray(HEAD_BYTES), attributes & COMPRESSION)
      readBatch(batch, body, attributes, from, messages)
    } else if ((attributes & CONTROL) !== 0) {
      transactions.marked(batch, batch.subarray(HEAD_BYTES))
    }
    if (lastOffset >= end) end = lastOffset + 1n
    at = next
  }
  return { messages, end }
}

/** Which batches belong to transactions that were aborted: those of a producer from the first on to its mark. */
class AbortedTransactions {
  readonly #waiting: AbortedTransaction[]
  readonly #open = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = [...aborted].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1))
  }

  isWanted(batch: Buffer, attributes: number, lastOffset: bigint): boolean {
    if ((attributes & CONTROL) !== 0) return false
    if ((attributes & TRANSACTIONAL) === 0) return true
    while (this.#waiting[0] && this.#waiting[0].firstOffset <= lastOffset) {
      const { producerId } = this.#waiting[0]
      this.#open.add(producerId)
      this.#waiting.shift()
    }
    return !this.#open.has(batch.readBigInt64BE(43))
  }

  marked(batch: Buffer, body: Buffer): void {
    const reader = new RecordReader(body)
    const { key } = reader.record()
    if (key && key.length >= 4 && key.readInt16BE(2) === ABORT) this.#open.delete(batch.readBigInt64BE(43))
  }
}

function readBatch(
  batch: Buffer,
  body: Buffer,
  attributes: number,
  from: bigint,
  messages: FetchedMessage[],
): void {
  const baseOffset = batch.readBigInt64BE(0)
  const baseTime = Number(batch.readBigInt64BE(27))
  const logTime = (attributes & LOG_APPEND_TIME) === 0 ? undefined : Number(batch.readBigInt64BE(35))
  const reader = new RecordReader(body)
  for (let left = batch.readInt32BE(57); left > 0; left--) {
    const { offsetDelta, timeDelta, key, value, headers, bytes } = reader.record()
    const offset = baseOffset + BigInt(offsetDelta)
    // A batch is given whole, also where only its end was asked for.
    if (offset < from) continue
    const timestamp = logTime ?? baseTime + timeDelta
    messages.push({ offset, size: bytes + OVERHEAD_BYTES, attempt: 1, timestamp, key, value, headers })
  }
}

function faultOf(batch: Buffer, offset: bigint, isCutOff: boolean): RelayError | undefined {
  const magic = batch.readInt8(MAGIC_AT)
  if (magic !== MAGIC) {
    return new RelayError(
      'NOT_SUPPORTED',
      `the messages from offset ${offset} on are in format ${magic}, that of brokers before Kafka 0.11, which is not read here: seek behind them`,
    )
  }
  if (isCutOff || crc32c(batch.subarray(CHECKED_FROM)) === batch.readUInt32BE(CRC_AT)) return undefined
  return new RelayError(
    'BROKER_UNAVAILABLE',
    `the messages from offset ${offset} on do not have the checksum they were sent with`,
  )
}

interface PlainRecord {
  offsetDelta: number
  timeDelta: number
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, HeaderValue>
  bytes: number
}

class RecordReader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  record(): PlainRecord {
    const bytes = this.#varint()
    const end = this.#at + bytes
    // Attributes, of which there are none.
    this.#at++
    const timeDelta = this.#varint()
    const offsetDelta = this.#varint()
    const key = this.#data()
    const value = this.#data()
    const headers = this.#headers()
    this.#at = end
    return { offsetDelta, timeDelta, key, value, headers, bytes }
  }

  #headers(): Record<string, HeaderValue> {
    const headers: Record<string, HeaderValue> = {}
    for (let left = this.#varint(); left > 0; left--) {
      const name = this.#text(this.#varint())
      const value = this.#header(this.#varint())
      const known = Object.hasOwn(headers, name) ? headers[name] : undefined
      const all = known === undefined ? value : [known, value].flat()
      if (name !== '__proto__') headers[name] = all
      else Object.defineProperty(headers, name, { value: all, enumerable: true, configurable: true })
    }
    return headers
  }

  /** The text that nearly all have, for good: each who needs it would make it anew. */
  #header(length: number): string | Buffer {
    const start = this.#at
    const text = this.#text(Math.max(length, 0))
    if (!text.includes(REPLACEMENT)) return text
    // One may have been sent.
    const bytes = this.#buffer.subarray(start, this.#at)
    return isUtf8(bytes) ? text : Buffer.from(bytes)
  }

  #text(length: number): string {
    const start = this.#pass(length)
    return this.#buffer.toString('utf8', start, this.#at)
  }

  /** A copy: a part of the answer would keep all of it in memory. */
  #data(): Buffer | null {
    const length = this.#varint()
    if (length < 0) return null
    const start = this.#pass(length)
    return Buffer.from(this.#buffer.subarray(start, this.#at))
  }

  /** @returns where that begins */
  #pass(length: number): number {
    const start = this.#at
    this.#at += length
    if (this.#at > this.#buffer.length) throw new RelayError('BROKER_UNAVAILABLE', 'a record is cut off')
    return start
  }

  /** By multiplication, as times exceed the 32 bits of shifts. */
  #varint(): number {
    let byte = this.#buffer[this.#at++] ?? 0
    let zigzag = byte & 0x7f
    for (let factor = 0x80; byte > 0x7f; factor *= 0x80) {
      byte = this.#buffer[this.#at++] ?? 0
      zigzag += (byte & 0x7f) * factor
    }
    return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2
  }
}
