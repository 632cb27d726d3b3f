import { promisify } from 'node:util'
import { unzip } from 'node:zlib'
import { decompressLz4, decompressZstd } from '../../../core/decompress.js'
import { RelayError } from '../../../core/errors.js'

const unzipped = promisify(unzip)

/** A message as a broker keeps it. */
export interface StoredMessage {
  topic: string
  queueId: number
  offset: bigint
  /** Place in the log of the broker, by which it is told which message is meant. */
  logOffset: bigint
  /** Made of broker and log offset: another one for each copy. */
  offsetId: string
  /** When it was sent, milliseconds since 1970. */
  bornAt: number
  /** Address of the one who sent it. */
  bornHost: string
  /** When the broker stored it, by which it is found by time. */
  storedAt: number
  /** 1 for one that was never sent back. */
  attempt: number
  properties: Map<string, string>
  /** Perhaps compressed: see `bodyOf`. */
  rawBody: Buffer
  compression: KnownCompression | 'unknown'
  /** Bytes it takes in memory, about. */
  size: number
}

export type KnownCompression = 'none' | 'zlib' | 'lz4' | 'zstd'

const VERSION_1 = 0xdaa320a7
/** Its topic may be longer than 127 bytes. */
const VERSION_2 = 0xdaa320ab
const FLAG = { COMPRESSED: 1, BORN_HOST_V6: 1 << 4, STORE_HOST_V6: 1 << 5, INNER_BATCH: 1 << 7 } as const
const COMPRESSION_SHIFT = 8
const COMPRESSION_BITS = 0b111
const PORT_BYTES = 4

/**
 * The messages in the body of an answer to a pull. The library's own decoder skips what it cannot read, and all that follows.
 * @throws RelayError INTERNAL when they cannot be read.
 */
export function decodeMessages(bytes: Buffer): StoredMessage[] {
  const messages: StoredMessage[] = []
  try {
    for (let at = 0; at < bytes.length; ) {
      const size = bytes.readInt32BE(at)
      if (size < 1 || at + size > bytes.length) throw new RangeError(`a message of ${size} bytes`)
      messages.push(decodeMessage(bytes.subarray(at, at + size)))
      at += size
    }
    return messages
  } catch (cause) {
    throw new RelayError('INTERNAL', `RocketMQ sent messages that cannot be read: ${String(cause)}`, {
      cause,
    })
  }
}

function decodeMessage(bytes: Buffer): StoredMessage {
  const from = new Reader(bytes)
  from.skip(4)
  const magic = from.uint32()
  if (magic !== VERSION_1 && magic !== VERSION_2) throw new RangeError(`magic number ${magic.toString(16)}`)
  from.skip(4)
  const queueId = from.int32()
  from.skip(4)
  const offset = from.int64()
  const logOffset = from.int64()
  const flags = from.int32()
  if (flags & FLAG.INNER_BATCH) throw new RangeError('a queue of type BatchCQ, which is not supported')
  const bornAt = Number(from.int64())
  const bornHost = hostOf(from.bytes((flags & FLAG.BORN_HOST_V6 ? 16 : 4) + PORT_BYTES))
  const storedAt = Number(from.int64())
  const storeHost = from.bytes((flags & FLAG.STORE_HOST_V6 ? 16 : 4) + PORT_BYTES)
  const reconsumeTimes = from.int32()
  from.skip(8)
  const rawBody = from.bytes(from.int32())
  const topic = from.bytes(magic === VERSION_1 ? from.uint8() : from.uint16()).toString()
  const properties = decodeProperties(from.bytes(from.uint16()).toString())
  return {
    topic,
    queueId,
    offset,
    logOffset,
    offsetId: `${storeHost.toString('hex')}${logOffset.toString(16).padStart(16, '0')}`.toUpperCase(),
    bornAt,
    bornHost,
    storedAt,
    attempt: reconsumeTimes + 1,
    properties,
    rawBody,
    compression: compressionOf(flags),
    size: bytes.length,
  }
}

/** @throws RelayError VALUE_NOT_DESERIALIZABLE when it is not compressed as it claims to be, or nobody knows how */
export async function bodyOf({ rawBody, compression, ...place }: StoredMessage): Promise<Buffer> {
  const body = `the body at offset ${place.offset} of queue ${place.queueId} of topic ${place.topic}`
  if (compression === 'unknown') {
    throw new RelayError(
      'VALUE_NOT_DESERIALIZABLE',
      `${body} is compressed in a way that is none of zlib, lz4 and zstd: have its sender use one of them (compressType)`,
    )
  }
  try {
    return await decompress(rawBody, compression)
  } catch (cause) {
    throw new RelayError('VALUE_NOT_DESERIALIZABLE', `${body} is not ${compression}, as it claims to be`, {
      cause,
    })
  }
}

/** @throws when the body is not compressed like that */
export async function decompress(body: Buffer, compression: KnownCompression): Promise<Buffer> {
  switch (compression) {
    case 'none':
      return body
    case 'zlib':
      // Zlib as Java has it; unzip also takes gzip, as other senders may.
      return unzipped(body)
    case 'lz4':
      return decompressLz4(body)
    case 'zstd':
      return decompressZstd(body)
    default:
      return compression satisfies never
  }
}

/** `address:port` of an IPv4 or IPv6 address, as servers name them. */
export function hostOf(bytes: Buffer): string {
  const address = bytes.subarray(0, -PORT_BYTES)
  const port = bytes.readInt32BE(address.length)
  if (address.length === 4) return `${address.join('.')}:${port}`
  return `[${(address.toString('hex').match(/.{4}/g) ?? []).join(':')}]:${port}`
}

function compressionOf(flags: number): StoredMessage['compression'] {
  if ((flags & FLAG.COMPRESSED) === 0) return 'none'
  switch ((flags >> COMPRESSION_SHIFT) & COMPRESSION_BITS) {
    case 1:
      return 'lz4'
    case 2:
      return 'zstd'
    case 0:
    case 3:
      // Senders before 5.0 knew this one only and left the bits empty.
      return 'zlib'
    default:
      return 'unknown'
  }
}

function decodeProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>()
  for (const item of text.split('\u0002')) {
    const separator = item.indexOf('\u0001')
    if (separator > 0) properties.set(item.slice(0, separator), item.slice(separator + 1))
  }
  return properties
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  skip(count: number): void {
    this.#at += count
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#moved(1))
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#moved(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#moved(4))
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#moved(4))
  }

  int64(): bigint {
    return this.#bytes.readBigInt64BE(this.#moved(8))
  }

  bytes(count: number): Buffer {
    const start = this.#moved(count)
    if (this.#at > this.#bytes.length) throw new RangeError(`${count} bytes at ${start}`)
    return this.#bytes.subarray(start, this.#at)
  }

  #moved(count: number): number {
    const at = this.#at
    this.#at += count
    return at
  }
}
