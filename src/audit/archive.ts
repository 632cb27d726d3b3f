import { createWriteStream } from 'node:fs'
import { link, mkdir, open, rm } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { codeOf } from '../core/errors.js'
import type { AuditDay } from '../db/partitions.js'
import type { Session } from '../db/session.js'
import { ENTRY_COLUMNS } from './audit-entry.js'

const ROWS_AT_ONCE = 2000

/**
 * Writes the rows of a detached day, the oldest first, as NDJSON compressed with gzip: one object a line, as `audit export`
 * writes them. Once it returns, the file is whole and on the disk.
 * @returns the file
 */
export async function archiveDay(session: Session, day: AuditDay, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const unfinished = path.join(folder, `${day.name}.unfinished`)
  await pipeline(linesOf(session, day), createGzip(), createWriteStream(unfinished))
  await sync(unfinished)
  const whole = await linkAside(unfinished, path.join(folder, day.name))
  await rm(unfinished)
  await sync(folder)
  return whole
}

async function* linesOf(session: Session, { name }: AuditDay): AsyncGenerator<string> {
  let last: unknown[] = ['-infinity', '0']
  for (;;) {
    const rows = await session.query(
      `SELECT entry.at::text AS "rowAt", ${ENTRY_COLUMNS} FROM ${name} AS entry
       WHERE (entry.at, entry.id) > ($1::timestamptz, $2::bigint) ORDER BY entry.at, entry.id LIMIT ${ROWS_AT_ONCE}`,
      last,
    )
    yield rows.map(({ rowAt: _, ...entry }) => `${JSON.stringify(entry)}\n`).join('')
    const newest = rows.at(-1)
    if (!newest || rows.length < ROWS_AT_ONCE) return
    last = [newest.rowAt, newest.id]
  }
}

/** Never over the archive of a day that had late rows after it was archived. */
async function linkAside(unfinished: string, name: string): Promise<string> {
  for (let number = 1; ; number += 1) {
    const whole = `${name}${number === 1 ? '' : `-${number}`}.ndjson.gz`
    try {
      await link(unfinished, whole)
      return whole
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
  }
}

/** Of a file what it holds; of a folder the names in it. */
async function sync(name: string): Promise<void> {
  const handle = await open(name)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
