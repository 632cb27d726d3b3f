import { type FileHandle, open, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { unlessMissing } from '../file-log-files.js'
import { frameOf, payloadAt, piecesOf } from './frames.js'

/** A file that is longer takes no more entries; small enough to be read whole. */
const SEGMENT_BYTES = 4 * 1024 * 1024
/** Digits of a file's name; a number of JavaScript has no more. */
const NAME_DIGITS = 16
const MODE = 0o640
const USUAL_ENTRY_BYTES = 65_536

/** Bytes count from the first that was ever written to the folder, over all its files. */
export interface SpoolEntry {
  start: number
  /** Where the next one starts; what is unreadable in between counts to the earlier entry. */
  end: number
  /** Null: what stands here is unreadable, and kept aside. */
  payload: Buffer | null
}

interface Segment {
  start: number
  end: number
}

/**
 * The append-only files of one spool, `START.spool` each, START being the count of bytes before it. Entries are written
 * once, read in order, and go with their file when all of it is done with. Only one process may use the folder.
 */
export class SpoolFiles {
  readonly #folder: string
  readonly #log: Log
  readonly #segmentBytes: number
  #segments: Segment[]
  #end: number
  #active: FileHandle | undefined
  /** Writing and removing take turns: a file may be both the last and done with. */
  #lastTurn: Promise<unknown> = Promise.resolve()
  /** The last write failed and has left bytes behind that count as not written. */
  #needsCut = false

  private constructor(folder: string, segments: Segment[], log: Log, segmentBytes: number) {
    this.#folder = folder
    this.#segments = segments
    this.#log = log
    this.#segmentBytes = segmentBytes
    this.#end = segments.at(-1)?.end ?? 0
  }

  /** @param segmentBytes the default suits but tests. */
  static async open(folder: string, log: Log, segmentBytes = SEGMENT_BYTES): Promise<SpoolFiles> {
    const segments: Segment[] = []
    for (const name of (await readdir(folder)).sort()) {
      const [, digits] = /^(\d+)\.spool$/.exec(name) ?? []
      if (digits === undefined) continue
      const start = Number(digits)
      const { size } = await stat(path.join(folder, name))
      segments.push({ start, end: start + size })
    }
    const files = new SpoolFiles(folder, segments, log, segmentBytes)
    await files.#cutUnfinished()
    return files
  }

  /** The first byte that is still there. */
  get start(): number {
    return this.#segments[0]?.start ?? this.#end
  }

  /** Where the next entry will start. */
  get end(): number {
    return this.#end
  }

  /**
   * Writes entries after all others; resolves when they are on the disk, with one flush for all of them.
   * @returns where each of them starts
   * @throws the error of the file system, and then none of them counts as written.
   */
  append(payloads: readonly Buffer[]): Promise<number[]> {
    return this.#inTurn(() => this.#append(payloads))
  }

  async #append(payloads: readonly Buffer[]): Promise<number[]> {
    const frames = payloads.map(frameOf)
    const bytes = Buffer.concat(frames)
    const { file, segment } = await this.#fileToWrite()
    const at = segment.end - segment.start
    if (this.#needsCut) await file.truncate(at)
    this.#needsCut = true
    for (let done = 0; done < bytes.length; ) {
      done += (await file.write(bytes, done, bytes.length - done, at + done)).bytesWritten
    }
    await file.datasync()
    this.#needsCut = false
    let next = segment.end
    const starts = frames.map((frame) => {
      next += frame.length
      return next - frame.length
    })
    segment.end = next
    this.#end = next
    return starts
  }

  /**
   * The next entries from a position on; none at the end.
   * @param enough whether those read so far are; at least one is read.
   */
  async read(from: number, enough: (entries: readonly SpoolEntry[]) => boolean): Promise<SpoolEntry[]> {
    const entries: SpoolEntry[] = []
    for (const segment of [...this.#segments]) {
      // What is written meanwhile is not read in part.
      const length = segment.end - segment.start
      if (segment.end <= from) continue
      const bytes = (await readFile(this.#fileOf(segment))).subarray(0, length)
      const skipped = Math.max(0, from - segment.start)
      for (const piece of piecesOf(bytes.subarray(skipped))) {
        const start = segment.start + skipped + piece.start
        const end = segment.start + skipped + piece.end
        if (piece.kind === 'entry') {
          if (entries.length > 0 && enough(entries)) return entries
          entries.push({ start, end, payload: piece.payload })
          continue
        }
        await this.keepAside(
          start,
          bytes.subarray(skipped + piece.start, skipped + piece.end),
          'it is damaged',
        )
        const last = entries.at(-1)
        if (last) last.end = end
        else entries.push({ start, end, payload: null })
      }
    }
    return entries
  }

  /** The payload of the entry that starts here; undefined if it is no longer there. */
  async payloadAt(start: number): Promise<Buffer | undefined> {
    const segment = this.#segments.find((one) => one.start <= start && start < one.end)
    const file = segment && (await unlessMissing(open(this.#fileOf(segment)), undefined))
    if (!file) return undefined
    try {
      const bytesFrom = async (length: number) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start - segment.start)
        return buffer.subarray(0, bytesRead)
      }
      const rest = segment.end - start
      return (
        payloadAt(await bytesFrom(Math.min(USUAL_ENTRY_BYTES, rest)), 0) ??
        payloadAt(await bytesFrom(rest), 0)
      )
    } finally {
      await file.close()
    }
  }

  /** Puts bytes that cannot be recorded into a file of their own, for a person. */
  async keepAside(start: number, bytes: Buffer, reason: string): Promise<void> {
    const file = path.join(this.#folder, `aside-${String(start).padStart(NAME_DIGITS, '0')}`)
    const known = await unlessMissing(stat(file), undefined)
    // Met before, and told.
    if (known?.size === bytes.length) return
    await writeFile(file, bytes, { mode: MODE, flush: true })
    this.#log.error('a part of the spool cannot be recorded; it is kept aside and not tried again', {
      file,
      bytes: bytes.length,
      reason,
    })
  }

  /** Removes the files that end before a position; what is written next starts at it or later. */
  dropBefore(position: number): Promise<void> {
    return this.#inTurn(() => this.#dropBefore(position))
  }

  async #dropBefore(position: number): Promise<void> {
    while (this.#segments[0] !== undefined && this.#segments[0].end <= position) {
      const [segment] = this.#segments
      if (this.#segments.length === 1) await this.#closeActive()
      await rm(this.#fileOf(segment), { force: true })
      this.#segments.shift()
    }
    this.#end = Math.max(this.#end, position)
  }

  /** Entries stay; they are read again after the next `open`. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#closeActive())
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#lastTurn.then(work)
    this.#lastTurn = turn.catch(() => undefined)
    return turn
  }

  async #closeActive(): Promise<void> {
    const active = this.#active
    this.#active = undefined
    await active?.close()
  }

  async #fileToWrite(): Promise<{ file: FileHandle; segment: Segment }> {
    const last = this.#segments.at(-1)
    if (last && last.end - last.start < this.#segmentBytes) {
      this.#active ??= await open(this.#fileOf(last), 'r+')
      return { file: this.#active, segment: last }
    }
    await this.#closeActive()
    const segment = { start: this.#end, end: this.#end }
    // Written over if it is there: a try that failed before left it, and nothing of it counts.
    this.#active = await open(this.#fileOf(segment), 'w', MODE)
    await syncFolder(this.#folder)
    this.#segments.push(segment)
    this.#needsCut = false
    return { file: this.#active, segment }
  }

  /** What the last process was writing when it was killed was promised to nobody. */
  async #cutUnfinished(): Promise<void> {
    const last = this.#segments.at(-1)
    if (!last) return
    const bytes = await readFile(this.#fileOf(last))
    for (const piece of piecesOf(bytes)) {
      if (piece.kind !== 'unfinished') continue
      this.#log.warn('the last entry of the spool is unfinished, as after a kill; it is cut off', {
        file: this.#fileOf(last),
        bytes: piece.end - piece.start,
      })
      await truncate(this.#fileOf(last), piece.start)
      last.end = last.start + piece.start
      this.#end = last.end
    }
  }

  #fileOf({ start }: Segment): string {
    return path.join(this.#folder, `${String(start).padStart(NAME_DIGITS, '0')}.spool`)
  }
}

/** So that a new file is still in its folder after a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle | undefined
  try {
    handle = await open(folder, 'r')
    await handle.sync()
  } catch (error) {
    // Windows knows no such thing.
    if (codeOf(error) !== 'EPERM' && codeOf(error) !== 'EISDIR') throw error
  } finally {
    await handle?.close()
  }
}
