import { randomUUID } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { validate as isUuid } from 'uuid'
import { messageOf, RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import { endsWithin, pause } from '../../core/time-limit.js'
import { defaultWorkerName } from '../../core/worker-name.js'
import type { Database } from '../../db/database.js'
import type { LedgerRecord } from '../call-record.js'
import { fileNameOf, unlessMissing } from '../file-log-files.js'
import type { Overflow, RecordItem } from '../recorder.js'
import { type FolderLock, lockFolder } from './folder-lock.js'
import { PositionMoved, type ReplayedEntry, replayNext, startPosition } from './replay.js'
import { SpoolFiles, syncFolder } from './spool-files.js'
import { parseSpooled, spooledText } from './spooled-record.js'

const RETRY_MS = 500
/** Within what a stopping worker has for closing everything. */
const CLOSE_LIMIT_MS = 2000
/** Read at once when it is opened. */
const READ_BYTES = 8 * 1024 * 1024
/** Bytes that leave the spool for each byte that comes while it is emptied. */
const OUT_PER_IN = 2

export interface SpoolOptions {
  /** Shared by workers; each has a folder of its own in it. */
  folder: string
  worker: string
  engineName: string
  /** What waits for Postgres, with what the jobs in hand may add to it. */
  maxBytes: number
  database: Database
  log: Log
}

/** What waits in the spool; an age of 0: nothing does. */
export interface SpoolState {
  records: number
  bytes: number
  oldestAgeMs: number
}

export const NO_SPOOL: SpoolState = { records: 0, bytes: 0, oldestAgeMs: 0 }

/**
 * Keeps records on this machine's disk while Postgres is away, and writes them to it in their order afterwards, each
 * once. What comes before it is empty goes behind, at the price of waiting until twice as much has gone: so it gets
 * empty whatever comes.
 */
export interface Spool extends Overflow {
  /** Postgres was away when it was last asked. It is asked again and again until it is back. */
  readonly isAway: boolean
  /** No further publishes may count on it. */
  readonly isFull: boolean
  /** The newest ledger record of a job of this engine that waits here. */
  find(jobKey: string): Promise<LedgerRecord | undefined>
  state(): SpoolState
  /** What waits stays for the next start of a worker of this name. */
  close(): Promise<void>
}

/**
 * Opens the spool of a worker and begins to write what it holds.
 * @throws RelayError CONFIG_INVALID when the folder cannot be used or the worker has no name of its own.
 */
export async function openSpool(options: SpoolOptions): Promise<Spool> {
  const { worker, engineName, maxBytes, database, log } = options
  const { folder, id, files, lock } = await openFolder(options)
  const replay = { database, spool: id, worker, files, log }
  /** Where the ledger record of a job starts. */
  const index = new Map<string, number>()
  const closing = new AbortController()
  let records = 0
  let oldestAt: number | undefined
  let isAway = false
  /** The last round failed: nothing leaves the spool for now. */
  let isStuck = false
  /** The position that has to be reached before more may come. */
  let owed = 0
  let round: Promise<void> = Promise.resolve()
  let rounds: Promise<void> | undefined

  let position: number
  try {
    position = await startPosition(replay)
    await files.dropBefore(position)
    await readAll()
  } catch (error) {
    await lock.release()
    throw error
  }
  if (hasBacklog()) log.info('records of an earlier time wait in the spool', { folder, records })
  wake()

  function hasBacklog(): boolean {
    return position < files.end
  }

  async function readAll(): Promise<void> {
    for (let from = position; from < files.end; ) {
      const entries = await files.read(from, (some) => (some.at(-1)?.end ?? from) - from >= READ_BYTES)
      for (const { start, payload } of entries) {
        const spooled = payload && parseSpooled(payload)
        if (!spooled) continue
        oldestAt ??= spooled.at
        if (spooled.kind !== 'call') continue
        records += 1
        if (spooled.ledger && spooled.engine === engineName) index.set(spooled.ledger.jobKey, start)
      }
      from = entries.at(-1)?.end ?? files.end
    }
  }

  /** Writes what waits, and looks whether Postgres is back, until there is nothing to do. */
  function wake(): void {
    if (isIdle()) return
    rounds ??= untilIdle().finally(() => {
      rounds = undefined
      wake()
    })
  }

  function isIdle(): boolean {
    return closing.signal.aborted || !(isAway || hasBacklog())
  }

  async function untilIdle(): Promise<void> {
    while (!isIdle()) {
      round = oneRound()
      await round
      if (isStuck) await pause(RETRY_MS, closing.signal)
    }
  }

  async function oneRound(): Promise<void> {
    try {
      if (isAway) await database.query('SELECT 1', [], 'ping')
      if (isAway) log.info('Postgres is back; it gets what waits in the spool', { records })
      isAway = false
      if (hasBacklog()) {
        await replayNext(replay, position, moveOn)
        await files.dropBefore(position)
        if (!hasBacklog()) log.info('the spool is empty again')
      }
      isStuck = false
    } catch (error) {
      isStuck = true
      if (error instanceof PositionMoved) await rereadPosition()
      else if (isDatabaseAway(error)) noticeAway(error)
      else
        log.error('the spool cannot be written to Postgres; trying again', {
          folder,
          reason: messageOf(error),
        })
    }
  }

  async function rereadPosition(): Promise<void> {
    try {
      position = await startPosition(replay)
      await recount()
    } catch (error) {
      if (isDatabaseAway(error)) noticeAway(error)
    }
  }

  async function recount(): Promise<void> {
    index.clear()
    records = 0
    oldestAt = undefined
    await readAll()
  }

  function moveOn(entries: readonly ReplayedEntry[]): void {
    for (const { start, spooled } of entries) {
      if (spooled?.kind !== 'call') continue
      records -= 1
      const jobKey = spooled.ledger?.jobKey
      if (jobKey !== undefined && index.get(jobKey) === start) index.delete(jobKey)
    }
    position = entries.at(-1)?.end ?? position
    // Rather too old by the distance of two entries than another read.
    oldestAt = entries.at(-1)?.spooled?.at ?? oldestAt
    if (hasBacklog()) return
    oldestAt = undefined
    records = 0
  }

  function noticeAway(reason: unknown): void {
    if (isAway) return
    isAway = true
    isStuck = true
    log.error('Postgres is away; records go to the spool', { folder, reason: messageOf(reason) })
    wake()
  }

  return {
    get isAway() {
      return isAway
    },

    get isFull() {
      return files.end - position >= maxBytes
    },

    async isAhead() {
      while (!isAway && !isStuck && !closing.signal.aborted && hasBacklog() && position < owed) await round
      return isAway || hasBacklog()
    },

    noticeAway,

    async keep(items, isUnanswered) {
      const at = Date.now()
      const facts = { at, engine: engineName, isUnanswered }
      const start = files.end
      let starts: number[]
      try {
        starts = await files.append(items.map((item) => Buffer.from(spooledText(item, facts))))
      } catch (cause) {
        throw new RelayError(
          'SPOOL_FULL',
          `the spool in ${folder} cannot be written (${messageOf(cause)}): make room on its disk`,
          { cause },
        )
      }
      for (const [n, item] of items.entries()) noteKept(item, starts[n] ?? start)
      oldestAt ??= at
      owed = position + OUT_PER_IN * (files.end - start)
      wake()
    },

    async find(jobKey) {
      const start = index.get(jobKey)
      if (start === undefined) return undefined
      const payload = await files.payloadAt(start)
      const spooled = payload && parseSpooled(payload)
      return spooled?.kind === 'call' ? (spooled.ledger ?? undefined) : undefined
    },

    state() {
      return {
        records,
        bytes: files.end - position,
        oldestAgeMs: oldestAt === undefined ? 0 : Math.max(0, Date.now() - oldestAt),
      }
    },

    async close() {
      closing.abort()
      await endsWithin(rounds ?? Promise.resolve(), CLOSE_LIMIT_MS)
      if (hasBacklog())
        log.warn('records are left in the spool for the next start of this worker', { folder, records })
      await files.close()
      await lock.release()
    },
  }

  function noteKept(item: RecordItem, start: number): void {
    if (item.kind !== 'call') return
    records += 1
    if (item.record.ledger) index.set(item.record.ledger.jobKey, start)
  }
}

function isDatabaseAway(error: unknown): boolean {
  return error instanceof RelayError && error.code === 'DATABASE_AWAY'
}

interface OpenFolder {
  folder: string
  /** The same for as long as the folder's content belongs together; Postgres knows the position by it. */
  id: string
  files: SpoolFiles
  lock: FolderLock
}

async function openFolder(options: SpoolOptions): Promise<OpenFolder> {
  const { folder: shared, worker, log } = options
  if (worker === defaultWorkerName()) {
    throw new RelayError(
      'CONFIG_INVALID',
      'BPMN_RELAY_SPOOL_DIR needs a BPMN_RELAY_WORKER_NAME: without a name that stays, nobody would find what an earlier process left in its spool',
    )
  }
  const folder = path.join(shared, fileNameOf(worker))
  try {
    await mkdir(folder, { recursive: true })
    await syncFolder(shared)
    const lock = await lockFolder(folder, () =>
      log.info('waiting for a sign of life of another owner of the spool', { folder }),
    )
    if (!lock) {
      throw new RelayError(
        'CONFIG_INVALID',
        `BPMN_RELAY_SPOOL_DIR is "${shared}", where another running worker uses ${folder}: workers cannot share a spool, so give each a BPMN_RELAY_WORKER_NAME of its own, or stop the other one`,
      )
    }
    try {
      return { folder, lock, id: await idOf(folder), files: await SpoolFiles.open(folder, log) }
    } catch (error) {
      await lock.release()
      throw error
    }
  } catch (cause) {
    if (cause instanceof RelayError) throw cause
    throw new RelayError(
      'CONFIG_INVALID',
      `BPMN_RELAY_SPOOL_DIR is "${shared}", where ${folder} cannot be used (${messageOf(cause)}): name a folder on a durable volume that this user may write to, or leave it unset to work without a spool`,
      { cause },
    )
  }
}

async function idOf(folder: string): Promise<string> {
  const file = path.join(folder, 'id')
  const known = await unlessMissing(readFile(file, 'utf8'), undefined)
  if (known !== undefined && isUuid(known.trim())) return known.trim()
  const id = randomUUID()
  await writeFile(file, `${id}\n`, { flush: true })
  return id
}
