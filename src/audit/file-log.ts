import { createLogger, format, transports } from 'winston'
import type { Log } from '../core/log.js'
import { withTimeLimit } from '../core/time-limit.js'
import { defaultWorkerName } from '../core/worker-name.js'
import type { AuditRow } from './call-record.js'
import { fileNameOf } from './file-log-files.js'
import { RotatingFile } from './file-log-rotation.js'

/** Lines that wait for the disk take no more memory than this. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024
/** Losses of so long are told together. */
const TELL_AFTER_MS = 1000
/** Within what a stopping worker has for closing everything. */
const CLOSE_LIMIT_MS = 2000

export interface FileLogOptions {
  folder: string
  worker: string
  /** Of one file. */
  maxBytes: number
  maxFiles: number
  log: Log
  /** Bytes that may wait for the disk; the default suits but tests. */
  maxWaitingBytes?: number
}

/** What calls through adapters with the switch "record returned results" leave in files, for people and collectors. */
export interface FileLog {
  /**
   * Takes a call and returns at once; the disk is waited for by nobody. What finds too much waiting already, or cannot
   * be written, is dropped, counted, and told in the program's log and in the next line of the file.
   */
  write(call: AuditRow): void
  /** Writes what waits, within a time limit. */
  close(): Promise<void>
}

export function createFileLog(options: FileLogOptions): FileLog {
  const { folder, worker, maxBytes, maxFiles, log, maxWaitingBytes = MAX_WAITING_BYTES } = options
  const losses = lossCount(log, folder)
  const file = new RotatingFile({
    folder,
    name: fileNameOf(worker),
    maxBytes,
    maxFiles,
    adopts: worker === defaultWorkerName(),
    onLost: losses.add,
    lossLine: (dropped, reason) => `${JSON.stringify({ at: now(), worker, dropped, reason })}\n`,
  })
  const logger = createLogger({
    format: format.printf(({ message }) => String(message)),
    transports: [new transports.Stream({ stream: file, eol: '\n' })],
  })

  return {
    write(call) {
      if (file.writableEnded || file.writableLength >= maxWaitingBytes) {
        file.lose(1, file.writableEnded ? 'the worker is stopping' : 'the disk is too slow for the results')
        return
      }
      logger.info(lineOf(call, worker))
    },
    async close() {
      const finished = new Promise<void>((resolve) => file.end(resolve))
      await withTimeLimit(finished, CLOSE_LIMIT_MS, () => new Error()).catch(() =>
        log.error('results were still to be written to the file log when the worker stopped', {
          folder,
          bytes: file.writableLength,
        }),
      )
      losses.tell()
    },
  }
}

/** Tells of dropped lines in the program's log, those of a while together. */
function lossCount(log: Log, folder: string) {
  let dropped = 0
  let lastReason = ''
  let timer: NodeJS.Timeout | undefined

  function tell(): void {
    clearTimeout(timer)
    timer = undefined
    if (dropped === 0) return
    log.error('results could not be kept in the file log', { folder, dropped, reason: lastReason })
    dropped = 0
  }
  return {
    tell,
    add(lines: number, reason: string): void {
      dropped += lines
      lastReason = reason
      timer ??= setTimeout(tell, TELL_AFTER_MS).unref()
    },
  }
}

/** One call as one line of JSON; request and response keep the digits the engine and the broker gave them. */
function lineOf(call: AuditRow, worker: string): string {
  const { request, response, receipt: _sameAsResponse, ...facts } = call
  const known = Object.entries({ at: now(), worker, ...facts }).filter(([, value]) => value !== null)
  const head = JSON.stringify(Object.fromEntries(known))
  return `${head.slice(0, -1)},"request":${jsonOf(request)},"response":${jsonOf(response)}}`
}

/** JSON text on one line as it stands; a text that is none, such as one that was cut, as a JSON string. */
function jsonOf(text: string | null): string {
  if (text === null) return 'null'
  try {
    JSON.parse(text)
  } catch {
    return JSON.stringify(text)
  }
  // Between the quotes of JSON there is no bare line break, so these stand between its parts.
  return text.replace(/[\r\n]+/g, ' ')
}

function now(): string {
  return new Date().toISOString()
}
