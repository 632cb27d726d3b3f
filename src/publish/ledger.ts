import { hash } from 'node:crypto'
import type { OutboundMessage } from '../brokers/broker.js'
import { batching, type ItemResult } from '../core/batching.js'
import type { Log } from '../core/log.js'
import type { Database } from '../db/database.js'
import { plainArray } from '../db/text-array.js'
import type { Job } from '../engine/engine.js'

/** What is known of earlier deliveries of a job. */
export interface EarlierPublish {
  /** Calls recorded for this job so far; 0 for a job that is new. */
  attempts: number
  /** Result of the publish that the broker acknowledged, as JSON text; null if none was. */
  result: string | null
  /** Of the message that was sent. */
  fingerprint: string
}

export interface Ledger {
  /**
   * Looks a job up; jobs that ask at the same moment share one statement.
   * @throws RelayError DATABASE_AWAY
   */
  find(job: Job): Promise<EarlierPublish>
}

export const NEW_JOB: EarlierPublish = { attempts: 0, result: null, fingerprint: '' }
const MAX_LOOKUP = 1000

interface LedgerRow {
  process_instance_key: string
  element_instance_key: string
  fingerprint: string
  attempts: number
  receipt: string | null
}

export function createLedger(database: Pick<Database, 'query'>, engineName: string, log: Log): Ledger {
  const lookups = batching<Job, EarlierPublish>(MAX_LOOKUP, async (jobs) => {
    const rows = await database.query<LedgerRow & { job_key: string }>(
      `SELECT job_key, process_instance_key, element_instance_key, fingerprint, attempts, receipt
       FROM publish_ledger WHERE engine = $1 AND job_key = ANY($2::bigint[])`,
      [engineName, plainArray(jobs.map(({ key }) => key))],
      'ledger-find',
    )
    const byKey = new Map(rows.map((row) => [row.job_key, row]))
    return jobs.map(
      (job): ItemResult<EarlierPublish> => ({
        ok: true,
        value: earlierOf(job, byKey.get(job.key), engineName, log),
      }),
    )
  })

  return { find: (job) => lookups.add(job) }
}

/** What a ledger row says of a job. */
export function earlierOf(
  job: Job,
  row: LedgerRow | undefined,
  engineName: string,
  log: Log,
): EarlierPublish {
  if (!row) return NEW_JOB
  // An engine that was set up anew counts its keys from the start again.
  if (
    row.process_instance_key !== job.processInstanceKey ||
    row.element_instance_key !== job.elementInstanceKey
  ) {
    log.warn('the ledger knows this job key from another process instance; the job counts as new', {
      engine: engineName,
      jobKey: job.key,
      hint: 'engines that share a database need different names: BPMN_RELAY_ENGINE_NAME',
    })
    return NEW_JOB
  }
  return { attempts: row.attempts, result: row.receipt, fingerprint: row.fingerprint }
}

const NO_VALUE = Buffer.from('\0null')
// Apart from an empty value, and from a key that ends like this one's payload begins.
const VALUE_FOLLOWS = Buffer.from('\0value')

/** Tells messages apart: adapter, topic, key and payload. */
export function fingerprintOf(adapterId: string, message: OutboundMessage): string {
  const { topic, keys = [], key, value } = message
  const parts: Buffer[] = [Buffer.from([adapterId, topic, ...keys, ''].join('\n'))]
  if (key) parts.push(key)
  if (value === null) parts.push(NO_VALUE)
  else parts.push(VALUE_FOLLOWS, value)
  return hash('sha1', Buffer.concat(parts), 'base64url')
}
