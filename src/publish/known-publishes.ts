import { FROM_LEDGER, fromAudit, type LedgerRow } from '../audit/ledger-rows.js'
import { type Database, sqlState } from '../db/database.js'
import { type AuditDay, auditDays } from '../db/partitions.js'
import { plainArray } from '../db/text-array.js'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Days of the audit log are named by the clock of Postgres, which may differ from this one. */
const CLOCKS_APART_MS = HOUR_MS
/** Zeebe counts keys upwards in each of its partitions, whose number stands in the bits above. */
const KEYS_OF_PARTITION = 2 ** 51

type Queries = Pick<Database, 'query'>

export interface KnownPublishesOptions {
  database: Queries
  engineName: string
  /** How long an unsettled publish is remembered. */
  retentionDays: number
}

/**
 * Finds what ledger and audit log know of jobs, one statement at a time. Each day of the audit log has its own index of
 * job keys, and to ask all of them would cost more than the rest of the statement. So the newest two days are named in it;
 * for older days it is known up to which key they have jobs, and new jobs have greater ones.
 */
export function knownPublishes({ database, engineName, retentionDays }: KnownPublishesOptions) {
  /** Refreshed once an hour. */
  let recent: { until: number; days: AuditDay[]; newestBefore: Map<number, number> } | undefined

  return async function find(jobKeys: readonly string[]): Promise<LedgerRow[]> {
    try {
      return await findOnce(jobKeys)
    } catch (error) {
      // A day has left the audit log since it was last asked for its days.
      if (recent === undefined || sqlState(error) !== '42P01') throw error
      recent = undefined
      return await findOnce(jobKeys)
    }
  }

  async function findOnce(jobKeys: readonly string[]): Promise<LedgerRow[]> {
    const { days, newestBefore } = await recentDays()
    const oldest = days[0]
    const values = [engineName, plainArray(jobKeys)]
    const names = days.map(({ name }) => name)
    const statement = [FROM_LEDGER, ...names.map(fromAudit)].join(' UNION ALL ')
    // Postgres tells statements apart by the first 63 characters of a name.
    const numbers = days.map(({ from }) => Math.floor(from.getTime() / DAY_MS))
    const rows = await database.query<LedgerRow>(statement, values, `ledger-find ${numbers.join()}`)
    if (!oldest) return rows
    const maybeOlder = await keysNotAfter(newestBefore, jobKeys, oldest.from)
    if (maybeOlder.length === 0) return rows
    const older = await database.query<LedgerRow>(`${fromAudit('sys_audit_log')} AND at >= $3 AND at < $4`, [
      engineName,
      plainArray(maybeOlder),
      earliest(),
      oldest.from,
    ])
    return [...older, ...rows]
  }

  async function recentDays() {
    const now = Date.now()
    if (recent && now < recent.until) return recent
    const days = (await auditDays(database)).filter(
      ({ from, to }) =>
        to.getTime() > now - DAY_MS - CLOCKS_APART_MS && from.getTime() <= now + CLOCKS_APART_MS,
    )
    const found = { until: now - (now % HOUR_MS) + HOUR_MS, days, newestBefore: new Map<number, number>() }
    // The first record of a day may be what makes its partition.
    recent = days.some(({ to }) => to.getTime() > now) ? found : undefined
    return found
  }

  /** Those of the keys that jobs recorded before a moment may have. Beyond 2^53 rounding may make it some more. */
  async function keysNotAfter(
    newestBefore: Map<number, number>,
    jobKeys: readonly string[],
    moment: Date,
  ): Promise<string[]> {
    const found: string[] = []
    for (const jobKey of jobKeys) {
      const key = Number(jobKey)
      const partition = Math.floor(key / KEYS_OF_PARTITION)
      let newest = newestBefore.get(partition)
      if (newest === undefined) {
        newest = await newestKey(partition, moment)
        newestBefore.set(partition, newest)
      }
      if (key <= newest) found.push(jobKey)
    }
    return found
  }

  async function newestKey(partition: number, before: Date): Promise<number> {
    const first = BigInt(partition) * BigInt(KEYS_OF_PARTITION)
    const [row] = await database.query<{ newest: string | null }>(
      `SELECT max(job_key) AS newest FROM sys_audit_log
       WHERE at >= $1 AND at < $2 AND job_key >= $3 AND job_key < $4`,
      [earliest(), before, String(first), String(first + BigInt(KEYS_OF_PARTITION))],
    )
    return Number(row?.newest ?? -1)
  }

  function earliest(): Date {
    return new Date(Date.now() - retentionDays * DAY_MS)
  }
}
