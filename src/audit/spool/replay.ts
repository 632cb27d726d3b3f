import { messageOf } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import type { Database } from '../../db/database.js'
import { ensureAuditDaysOf, isMissingPartition } from '../../db/partitions.js'
import { recordedAlready } from '../lost-answers.js'
import { writeInHalves, writeReduced } from '../refused-rows.js'
import { type EarlierRecord, REPLAY_STATEMENT, replayParameters } from './replay-statement.js'
import type { SpoolEntry, SpoolFiles } from './spool-files.js'
import { parseSpooled, type Spooled } from './spooled-record.js'

/** One statement's at most. */
const MAX_ENTRIES = 1024
const MAX_BYTES = 8 * 1024 * 1024

export interface ReplayOptions {
  database: Database
  /** Id of the spool; its position is kept under it. */
  spool: string
  worker: string
  files: SpoolFiles
  log: Log
}

/** One entry on its way into Postgres. */
export interface ReplayedEntry {
  /** Where the position stands before it: the end of the entry before. */
  from: number
  start: number
  end: number
  /** Undefined: it could not be read, and is kept aside. */
  spooled: Spooled | undefined
}

/** The position in Postgres is another than this process thought: an earlier statement was carried out after all. */
export class PositionMoved extends Error {}

/**
 * Where the spool has to go on, by what Postgres knows. A database that does not know it, or knows it from before what
 * the files still hold, takes all of them.
 */
export async function startPosition({ database, spool, worker, files }: ReplayOptions): Promise<number> {
  const [row] = await database.query<{ position: string }>(
    `INSERT INTO spool_position AS known (spool, worker, position) VALUES ($1, $2, $3)
     ON CONFLICT (spool) DO UPDATE SET
       worker = excluded.worker, position = greatest(known.position, excluded.position)
     RETURNING position`,
    [spool, worker, files.start],
  )
  return Number(row?.position ?? files.start)
}

/**
 * Writes the next entries from a position on, those of one statement.
 * @param written told of the entries of each statement that was carried out, in order.
 * @throws PositionMoved; RelayError DATABASE_AWAY
 */
export async function replayNext(
  options: ReplayOptions,
  position: number,
  written: (entries: readonly ReplayedEntry[]) => void,
): Promise<void> {
  const { database, spool, worker, files, log } = options
  const read = await files.read(
    position,
    (entries) => entries.length >= MAX_ENTRIES || (entries.at(-1)?.end ?? 0) - position >= MAX_BYTES,
  )
  const decoded = await Promise.all(read.map(decode))
  const entries = ofOneEngine(decoded.map((entry, at) => ({ ...entry, from: read[at - 1]?.end ?? position })))
  const engineName = entries.find(({ spooled }) => spooled)?.spooled?.engine ?? ''
  const already = await recordedBefore(entries, engineName)

  await writeInHalves(entries, write, async (entry, reason) => {
    const { spooled } = entry
    const refusal =
      spooled?.kind === 'call'
        ? await writeReduced(
            recordOf(spooled),
            reason,
            ({ audit, ledger, sample }) =>
              write([{ ...entry, spooled: { ...spooled, audit, ledger, sample } }]),
            log,
          )
        : reason
    if (refusal === undefined) return
    await files.keepAside(entry.start, Buffer.from(JSON.stringify(spooled)), messageOf(refusal))
    await write([{ ...entry, spooled: undefined }])
  })

  async function decode({ start, end, payload }: SpoolEntry) {
    const spooled = payload === null ? undefined : parseSpooled(payload)
    if (payload !== null && !spooled)
      await files.keepAside(start, payload, 'this release of bpmn-relay does not know such an entry')
    return { start, end, spooled }
  }

  async function recordedBefore(all: readonly ReplayedEntry[], engine: string): Promise<Set<Spooled>> {
    const doubtful = all.flatMap(({ spooled }) =>
      spooled?.kind === 'call' && spooled.isUnanswered ? [{ spooled, record: recordOf(spooled) }] : [],
    )
    const records = doubtful.map(({ record }) => record)
    const recorded = await recordedAlready(database, engine, records)
    return new Set(doubtful.filter(({ record }) => recorded.has(record)).map(({ spooled }) => spooled))
  }

  async function write(part: ReplayedEntry[]): Promise<void> {
    const records: EarlierRecord[] = []
    const settled = new Set<string>()
    for (const { spooled } of part) {
      if (spooled?.kind === 'settled') for (const jobKey of spooled.jobKeys) settled.add(jobKey)
      if (spooled?.kind !== 'call') continue
      // A mark is of the deliveries before it.
      if (spooled.ledger) settled.delete(spooled.ledger.jobKey)
      if (!already.has(spooled)) records.push(recordOf(spooled))
    }
    const settledKeys = [...settled]
    const [from, to] = [part[0]?.from ?? position, part.at(-1)?.end ?? position]
    const parameters = replayParameters({ records, settledKeys, engineName, worker, spool, from, to })
    if (!(await moveOn(parameters, records))) throw new PositionMoved()
    written(part)
  }

  async function moveOn(parameters: unknown[], records: readonly EarlierRecord[]): Promise<boolean> {
    const run = () => database.query<{ advanced: boolean }>(REPLAY_STATEMENT, parameters, 'replay')
    try {
      return (await run())[0]?.advanced === true
    } catch (error) {
      if (!isMissingPartition(error)) throw error
      await ensureAuditDaysOf(
        database,
        records.map(({ at }) => at),
      )
      return (await run())[0]?.advanced === true
    }
  }
}

/** A statement names one engine; a worker that was given another name or engine has entries of both. */
function ofOneEngine(entries: ReplayedEntry[]): ReplayedEntry[] {
  const first = entries.find(({ spooled }) => spooled)?.spooled?.engine
  const other = entries.findIndex(({ spooled }) => spooled && spooled.engine !== first)
  return other < 0 ? entries : entries.slice(0, other)
}

function recordOf({ at, audit, ledger, sample }: Extract<Spooled, { kind: 'call' }>): EarlierRecord {
  return { at, audit, ledger, sample, deadline: Number.POSITIVE_INFINITY }
}
