import type { Spool } from '../audit/spool/spool.js'
import { RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import type { Job } from '../engine/engine.js'
import { type EarlierPublish, earlierOf, type Ledger, NEW_JOB } from './ledger.js'

/**
 * A ledger that knows what this worker's spool holds, and that takes a job for new while Postgres cannot be asked: the
 * promise is at-least-once then.
 */
export function spooledLedger(ledger: Ledger, spool: Spool, engineName: string, log: Log): Ledger {
  async function find(job: Job): Promise<EarlierPublish> {
    const spooled = await spool.find(job.key)
    if (spooled) {
      const { processInstanceKey: process_instance_key, elementInstanceKey: element_instance_key } = spooled
      const row = { ...spooled, process_instance_key, element_instance_key, element_id: null }
      return earlierOf(job, [row], engineName, log)
    }
    if (spool.isAway) return unknownJob()
    try {
      return await ledger.find(job)
    } catch (error) {
      if (!(error instanceof RelayError && error.code === 'DATABASE_AWAY')) throw error
      spool.noticeAway(error)
      return unknownJob()
    }
  }

  function unknownJob(): EarlierPublish {
    if (!spool.isFull) return NEW_JOB
    throw new RelayError(
      'SPOOL_FULL',
      'Postgres is away and the spool has reached BPMN_RELAY_SPOOL_MAX_BYTES: the job waits until Postgres is back',
    )
  }

  return { find }
}
