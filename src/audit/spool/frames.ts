import { crc32 } from 'node:zlib'

/** Mark, length and checksum of the payload, 4 bytes each; then the payload. */
const HEADER_BYTES = 12
const MARK = Buffer.from('BRS1')

/** What stands in a spool file, piece by piece; `start` and `end` are bytes. */
export type Piece =
  | { kind: 'entry'; start: number; end: number; payload: Buffer }
  /** Begins as an entry does and ends with the bytes, as what a killed process was just writing. */
  | { kind: 'unfinished'; start: number; end: number }
  /** No entry; up to the next one, or to the end. */
  | { kind: 'unreadable'; start: number; end: number }

export function frameOf(payload: Buffer): Buffer {
  const header = Buffer.allocUnsafe(HEADER_BYTES)
  MARK.copy(header)
  header.writeUInt32BE(payload.length, 4)
  header.writeUInt32BE(crc32(payload), 8)
  return Buffer.concat([header, payload])
}

/** The payload of the entry at `start`; undefined where there is no whole one. */
export function payloadAt(bytes: Buffer, start: number): Buffer | undefined {
  if (!bytes.subarray(start, start + MARK.length).equals(MARK) || start + HEADER_BYTES > bytes.length) return
  const end = start + HEADER_BYTES + bytes.readUInt32BE(start + 4)
  if (end > bytes.length) return
  const payload = bytes.subarray(start + HEADER_BYTES, end)
  return crc32(payload) === bytes.readUInt32BE(start + 8) ? payload : undefined
}

/** All of the bytes as pieces, in order. */
export function* piecesOf(bytes: Buffer): Generator<Piece> {
  let start = 0
  while (start < bytes.length) {
    const payload = payloadAt(bytes, start)
    if (payload) {
      const end = start + HEADER_BYTES + payload.length
      yield { kind: 'entry', start, end, payload }
      start = end
      continue
    }
    const next = nextEntry(bytes, start + 1)
    if (next === undefined && isBeginning(bytes, start)) {
      yield { kind: 'unfinished', start, end: bytes.length }
      return
    }
    const end = next ?? bytes.length
    yield { kind: 'unreadable', start, end }
    start = end
  }
}

function nextEntry(bytes: Buffer, from: number): number | undefined {
  for (let at = bytes.indexOf(MARK, from); at >= 0; at = bytes.indexOf(MARK, at + 1)) {
    if (payloadAt(bytes, at)) return at
  }
  return undefined
}

/** Whether an entry could begin here whose rest is missing. */
function isBeginning(bytes: Buffer, start: number): boolean {
  const mark = bytes.subarray(start, start + MARK.length)
  if (!MARK.subarray(0, mark.length).equals(mark)) return false
  if (start + HEADER_BYTES > bytes.length) return true
  return start + HEADER_BYTES + bytes.readUInt32BE(start + 4) > bytes.length
}
