import type { FetchAnswer } from '../link.js'
import type { AbortedTransaction } from './records.js'

export interface FetchedPartition {
  topic: string
  partition: number
  /** Of the protocol; 0: none. */
  errorCode: number
  aborted: AbortedTransaction[]
  /** Record batches, the last of which may be cut off. */
  records: Buffer
}

export interface Fetched {
  /** Of the whole request; 0: none. */
  errorCode: number
  partitions: FetchedPartition[]
}

/** What a fetch request of the versions 4 to 11, whose answers grow by a field here and there, was answered. */
export function readFetchAnswer({ version, bytes }: FetchAnswer): Fetched {
  const reader = new Reader(bytes)
  reader.skip(4)
  const errorCode = version >= 7 ? reader.int16() : 0
  // The id of a session, of which there is none.
  if (version >= 7) reader.skip(4)
  const partitions: FetchedPartition[] = []
  for (let topics = reader.int32(); topics > 0; topics--) {
    const topic = reader.string()
    for (let left = reader.int32(); left > 0; left--) {
      const partition = reader.int32()
      const errorCode = reader.int16()
      // The ends of the log for all, and for readers of what is committed; its start.
      reader.skip(version >= 5 ? 24 : 16)
      const aborted: AbortedTransaction[] = []
      for (let count = reader.int32(); count > 0; count--) {
        aborted.push({ producerId: reader.int64(), firstOffset: reader.int64() })
      }
      // The replica to read from rather.
      if (version >= 11) reader.skip(4)
      partitions.push({ topic, partition, errorCode, aborted, records: reader.bytes() })
    }
  }
  return { errorCode, partitions }
}

class Reader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  int16(): number {
    this.#at += 2
    return this.#buffer.readInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#buffer.readInt32BE(this.#at - 4)
  }

  int64(): bigint {
    this.#at += 8
    return this.#buffer.readBigInt64BE(this.#at - 8)
  }

  string(): string {
    const length = this.int16()
    this.#at += length
    return this.#buffer.toString('utf8', this.#at - length, this.#at)
  }

  bytes(): Buffer {
    const length = Math.max(this.int32(), 0)
    this.#at += length
    return this.#buffer.subarray(this.#at - length, this.#at)
  }
}
