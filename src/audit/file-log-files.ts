import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { codeOf } from '../core/errors.js'
import { isAlive } from '../core/processes.js'
import { defaultWorkerName } from '../core/worker-name.js'

/** One file of the file log. A worker writes `results-NAME.log`; a full one becomes `results-NAME.log.NUMBER`. */
export interface LogFile {
  path: string
  /** Of the worker, as file names spell it. */
  name: string
  /** The higher, the newer; null for the file that is written to. */
  number: number | null
  modifiedAt: number
  /** The same for as long as the file exists, whatever it is called. */
  inode: number
}

/** Where the workers of a configuration write. */
export function fileLogFolder(config: { fileLogFolder: string | undefined; dataFolder: string }): string {
  return config.fileLogFolder ?? path.join(config.dataFolder, 'logs')
}

/** A worker's name as part of a file name; different names stay different. */
export function fileNameOf(worker: string): string {
  return worker.replace(/[^\p{L}\p{N}._-]/gu, (sign) =>
    Buffer.from(sign).reduce((text, byte) => `${text}%${byte.toString(16).padStart(2, '0')}`, ''),
  )
}

export function currentFile(folder: string, name: string): string {
  return path.join(folder, `results-${name}.log`)
}

export function numberedFile(folder: string, name: string, number: number): string {
  return `${currentFile(folder, name)}.${number}`
}

/** The files of all workers in a folder, the longest untouched first; none if there is no such folder. */
export async function logFiles(folder: string): Promise<LogFile[]> {
  const files: LogFile[] = []
  for (const entry of await unlessMissing(readdir(folder), [])) {
    const [, name, number] = /^results-(.+)\.log(?:\.(\d+))?$/.exec(entry) ?? []
    if (name === undefined) continue
    const file = path.join(folder, entry)
    const found = await unlessMissing(stat(file), undefined)
    if (!found) continue
    const { mtimeMs: modifiedAt, ino: inode } = found
    files.push({ path: file, name, number: number === undefined ? null : Number(number), modifiedAt, inode })
  }
  return files.sort((a, b) => a.modifiedAt - b.modifiedAt || rank(a) - rank(b))
}

/**
 * Whether a file was left by a process of this machine that has ended, and that had no name but its process id: the
 * worker that comes after it, under another id, has to count it among its own.
 */
export function isLeftBehind(file: LogFile): boolean {
  const [digits] = /\d{1,10}$/.exec(file.name) ?? []
  if (digits === undefined) return false
  const id = Number(digits)
  return file.name === fileNameOf(defaultWorkerName(id)) && id !== process.pid && !isAlive(id)
}

/** What a file operation gives, or `otherwise` if the file is gone. */
export async function unlessMissing<T, O>(operation: Promise<T>, otherwise: O): Promise<T | O> {
  try {
    return await operation
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return otherwise
    throw error
  }
}

function rank({ number }: LogFile): number {
  return number ?? Number.MAX_SAFE_INTEGER
}
