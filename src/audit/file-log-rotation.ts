import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { Writable } from 'node:stream'
import { messageOf } from '../core/errors.js'
import { currentFile, isLeftBehind, logFiles, numberedFile, unlessMissing } from './file-log-files.js'

const LINE_FEED = 10
const BLOCK = 65_536
/** Read and written by the worker's user, read by its group. */
const MODE = 0o640

export interface RotatingFileOptions {
  folder: string
  /** Of the worker, as file names spell it. */
  name: string
  /** Of one file at most; only a line that is longer by itself exceeds it. */
  maxBytes: number
  /** Files of this worker at most, with the one that is written to. */
  maxFiles: number
  /** Adopt what ended processes without a name of their own left in the folder: it counts, and goes first. */
  adopts: boolean
  /** Told of lines that were lost. Must not throw. */
  onLost: (lines: number, reason: string) => void
  /** The line that tells a reader of the file of lines lost before it. */
  lossLine: (lines: number, reason: string) => string
}

/**
 * Lines into files of bounded size and number; each chunk is one line with its line feed. Winston's own file transport
 * is not used because it loses lines when ended in a hurry and its bounds do not hold over a restart
 * (docs/adr/0011-rotation-of-our-own.md). It never fails: what cannot be written is lost and told, the next line tries
 * anew.
 */
export class RotatingFile extends Writable {
  readonly #options: RotatingFileOptions
  #file: { handle: FileHandle; bytes: number; inode: number } | undefined
  /** Not yet told in a file. */
  #lost = 0
  #lossReason = ''

  constructor(options: RotatingFileOptions) {
    super({ decodeStrings: true })
    this.#options = options
  }

  /** Counts lines as lost: to be told in the file as soon as it can be written. */
  lose(lines: number, reason: string): void {
    this.#lost += lines
    this.#lossReason = reason
    this.#options.onLost(lines, reason)
  }

  override _write(line: Buffer, _encoding: BufferEncoding, done: () => void): void {
    void this.#append([line]).then(done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    void this.#append(chunks.map(({ chunk }) => chunk)).then(done)
  }

  override _final(done: () => void): void {
    void this.#close().then(done)
  }

  async #append(lines: Buffer[]): Promise<void> {
    let left = lines
    try {
      await this.#reopenIfGone()
      this.#file ??= await this.#open()
      await this.#tellLost()
      while (left.length > 0) left = left.slice(await this.#writeFitting(left))
    } catch (error) {
      await this.#close()
      this.lose(left.length, messageOf(error))
    }
  }

  async #tellLost(): Promise<void> {
    const lost = this.#lost
    if (lost === 0) return
    await this.#writeFitting([Buffer.from(this.#options.lossLine(lost, this.#lossReason))])
    this.#lost -= lost
  }

  /** Writes the lines that go into the current file; if none does, into the next. @returns how many were written */
  async #writeFitting(lines: Buffer[]): Promise<number> {
    this.#file ??= await this.#open()
    let fitting = this.#fitting(lines, this.#file.bytes)
    if (fitting.length === 0) {
      await this.#rotate()
      this.#file = await this.#open()
      fitting = this.#fitting(lines, this.#file.bytes)
    }
    await this.#writeWhole(this.#file, Buffer.concat(fitting))
    return fitting.length
  }

  /** The lines that still go into a file; at least one into an empty file. */
  #fitting(lines: Buffer[], bytes: number): Buffer[] {
    let size = bytes
    const end = lines.findIndex((line) => {
      const isTooMuch = size > 0 && size + line.length > this.#options.maxBytes
      size += line.length
      return isTooMuch
    })
    return end < 0 ? lines : lines.slice(0, end)
  }

  /** All of the text or nothing: a line that is cut, as by a full disk, is taken back. */
  async #writeWhole(file: { handle: FileHandle; bytes: number }, text: Buffer): Promise<void> {
    try {
      for (let done = 0; done < text.length; ) {
        const { bytesWritten } = await file.handle.write(text, done, text.length - done)
        done += bytesWritten
      }
      file.bytes += text.length
    } catch (error) {
      await file.handle.truncate(file.bytes).catch(() => undefined)
      throw error
    }
  }

  async #open() {
    const { folder, name, maxFiles } = this.#options
    await mkdir(folder, { recursive: true })
    await this.#keepNewest(maxFiles - 1)
    const handle = await open(currentFile(folder, name), 'a+', MODE)
    try {
      const { size, ino: inode } = await handle.stat()
      const bytes = await endOfLastLine(handle, size)
      if (bytes < size) {
        await handle.truncate(bytes)
        this.lose(1, 'the worker was killed in the middle of a line')
      }
      return { handle, bytes, inode }
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** Room is made first: at no moment are there more files than allowed. */
  async #rotate(): Promise<void> {
    const { folder, name, maxFiles } = this.#options
    await this.#close()
    const current = currentFile(folder, name)
    if (maxFiles === 1) return await rm(current, { force: true })
    const newest = await this.#keepNewest(maxFiles - 2)
    await unlessMissing(rename(current, numberedFile(folder, name, newest + 1)), undefined)
  }

  /** Removes the oldest full files. @returns the highest number there was */
  async #keepNewest(count: number): Promise<number> {
    const { folder, name, adopts } = this.#options
    const all = await logFiles(folder)
    const left = adopts ? all.filter(isLeftBehind) : []
    const own = all
      .flatMap(({ name: owner, number }) => (owner === name && number !== null ? [number] : []))
      .sort((a, b) => a - b)
    const full = [...left.map((file) => file.path), ...own.map((n) => numberedFile(folder, name, n))]
    for (const file of full.slice(0, Math.max(0, full.length - count))) await rm(file, { force: true })
    return own.at(-1) ?? 0
  }

  /** A person may have removed or moved the file: lines written on to it would be gone without a word. */
  async #reopenIfGone(): Promise<void> {
    if (!this.#file) return
    const { folder, name } = this.#options
    const found = await unlessMissing(stat(currentFile(folder, name)), undefined)
    if (found?.ino !== this.#file.inode) await this.#close()
  }

  async #close(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.handle.close().catch(() => undefined)
  }
}

/** Bytes up to and with the last line feed. */
async function endOfLastLine(handle: FileHandle, size: number): Promise<number> {
  for (let end = size; end > 0; end -= BLOCK) {
    const start = Math.max(0, end - BLOCK)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(end - start), 0, end - start, start)
    const last = buffer.subarray(0, bytesRead).lastIndexOf(LINE_FEED)
    if (last >= 0) return start + last + 1
  }
  return 0
}
