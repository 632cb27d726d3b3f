import { hash } from 'node:crypto'
import { byJobKey, type LedgerRow } from '../audit/ledger-rows.js'
import type { OutboundMessage } from '../brokers/broker.js'
import { batching, type ItemResult } from '../core/batching.js'
import type { Log } from '../core/log.js'
import type { Job } from '../engine/engine.js'
import { type KnownPublishesOptions, knownPublishes } from './known-publishes.js'

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

export function createLedger({ log, ...place }: KnownPublishesOptions & { log: Log }): Ledger {
  const { engineName } = place
  const find = knownPublishes(place)
  const lookups = batching<Job, EarlierPublish>(MAX_LOOKUP, async (jobs) => {
    const known = byJobKey(await find(jobs.map(({ key }) => key)))
    return jobs.map(
      (job): ItemResult<EarlierPublish> => ({
        ok: true,
        value: earlierOf(job, known.get(job.key) ?? [], engineName, log),
      }),
    )
  })

  return { find: (job) => lookups.add(job) }
}

/** What the rows of a job key say of a job. */
export function earlierOf(
  job: Job,
  rows: readonly Omit<LedgerRow, 'job_key'>[],
  engineName: string,
  log: Log,
): EarlierPublish {
  if (rows.length === 0) return NEW_JOB
  // An engine that was set up anew counts its keys from the start again.
  const own = rows.filter(
    (row) =>
      row.process_instance_key === job.processInstanceKey &&
      (row.element_instance_key ?? job.elementInstanceKey) === job.elementInstanceKey &&
      (row.element_id ?? job.elementId) === job.elementId,
  )
  if (own.length === 0) {
    log.warn('the ledger knows this job key from another process instance; the job counts as new', {
      engine: engineName,
      jobKey: job.key,
      hint: 'engines that share a database need different names: BPMN_RELAY_ENGINE_NAME',
    })
    return NEW_JOB
  }
  const inOrder = own.toSorted((a, b) => a.attempts - b.attempts)
  // A failure recorded late must not forget that another delivery of the same job was acknowledged.
  const acknowledged = inOrder.findLast(
    ({ receipt, fingerprint }) => receipt !== null && fingerprint !== null,
  )
  return {
    attempts: inOrder.at(-1)?.attempts ?? 0,
    result: acknowledged?.receipt ?? null,
    fingerprint: acknowledged?.fingerprint ?? '',
  }
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
