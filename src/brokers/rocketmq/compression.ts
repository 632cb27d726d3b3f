import { promisify } from 'node:util'
import { deflate } from 'node:zlib'

/** Bit of the system flag of a message. Without a kind beside it every version takes zlib for granted. */
export const COMPRESSED = 0b1

export function isToBeCompressed(body: Buffer, compressOverBytes: number): boolean {
  return compressOverBytes > 0 && body.length > compressOverBytes
}

export const compressed: (body: Buffer) => Promise<Buffer> = promisify(deflate)
