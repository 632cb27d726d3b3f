import { Readable } from 'node:stream'
import type { ActivatedJob, ActivateJobsResponse, JSONDoc } from 'zeebe-node'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { endsWithin, pause, withTimeLimit } from '../core/time-limit.js'
import type { Engine, Job, SettleAnswer, Settlement } from './engine.js'
import { JobPoller } from './job-poller.js'
import { isWithoutBackOffFault, Parking } from './parking.js'
import {
  closeZeebeClient,
  createZeebeClient,
  engineUnreachable,
  GRPC,
  LONG_POLL_MS,
  statusOf,
  type ZeebeOptions,
} from './zeebe-client.js'
import { zeebeInstances } from './zeebe-instances.js'

/** A poll that outlives its long poll by this much hangs: gateways sometimes leave a stream open for ever. */
const POLL_OVERTIME_MS = 10_000
/** Time limit of one call; the client sets none. */
const CALL_LIMIT_MS = 10_000
const SETTLE_FIRST_BACK_OFF_MS = 50
const SETTLE_LONGEST_BACK_OFF_MS = 1000
/** Parked jobs come back by their timeout where the engine is not told of them in this time at the end. */
const CLEAR_LIMIT_MS = 3000

/** The engine behind a Zeebe gateway. Connects with the first call. */
export function createZeebeEngine(options: ZeebeOptions, log: Log): Engine {
  const client = createZeebeClient(options, log)
  const address = options.zeebeClusterId ?? options.zeebeAddress

  async function poll(
    type: string,
    maxJobs: number,
    timeoutMs: number,
    onJobs: (jobs: Job[]) => void,
  ): Promise<void> {
    const startedAt = performance.now()
    // The stream below the client's own worker: that one parses variables into numbers that lose digits, polls only
    // when it is almost empty and drops jobs while it closes. The member is private: the client's version is pinned
    // and a test watches it.
    const stream: unknown = await withTimeLimit(
      Promise.resolve(
        // biome-ignore lint/complexity/useLiteralKeys: TypeScript lets a private member be read only this way
        client['grpc'].activateJobsStream({
          type,
          worker: options.workerName,
          timeout: timeoutMs,
          maxJobsToActivate: maxJobs,
          requestTimeout: LONG_POLL_MS,
          ...(options.tenantIds.length > 0 ? { tenantIds: options.tenantIds } : {}),
        }),
      ),
      CALL_LIMIT_MS,
      () => engineUnreachable(address, new Error('the call could not be started in time')),
    )
    if (!(stream instanceof Readable)) throw engineUnreachable(address, errorIn(stream))
    const deadline = startedAt + timeoutMs
    const ended = new Promise<void>((resolve, reject) => {
      stream.on('data', (response: ActivateJobsResponse) =>
        onJobs(response.jobs.map((job) => jobOf(job, deadline))),
      )
      stream.on('end', resolve)
      stream.on('error', reject)
    })
    try {
      await withTimeLimit(ended, LONG_POLL_MS + POLL_OVERTIME_MS, () =>
        engineUnreachable(address, new Error('a poll hung')),
      )
    } catch (error) {
      stream.destroy()
      throw error
    }
  }

  async function settleOnce(job: Job, settlement: Settlement): Promise<unknown> {
    switch (settlement.kind) {
      case 'complete':
        return await client.completeJob({ jobKey: job.key, variables: settlement.variables })
      case 'bpmnError': {
        const { code, message } = settlement
        // Parsed, because the client's type of variables knows no null.
        const variables: JSONDoc = JSON.parse(JSON.stringify(settlement.variables))
        return await client.throwError({ jobKey: job.key, errorCode: code, errorMessage: message, variables })
      }
      case 'fail': {
        const { retries, backOffMs, message, variables } = settlement
        const request = {
          jobKey: job.key,
          // Always sent: without it the engine would take 0 and raise an incident.
          retries,
          retryBackOff: backOffMs,
          errorMessage: message,
          variables: JSON.stringify(variables ?? {}),
        }
        return await client.failJob(request)
      }
      default:
        return settlement satisfies never
    }
  }

  /** Tries until the job's deadline: one given up earlier would wait for it all the same, with nobody working on it. */
  async function tell(job: Job, settlement: Settlement): Promise<SettleAnswer> {
    let backOff = SETTLE_FIRST_BACK_OFF_MS
    for (;;) {
      try {
        const limit = () => Object.assign(new Error('no answer in time'), { code: GRPC.DEADLINE_EXCEEDED })
        const answer = await withTimeLimit(settleOnce(job, settlement), CALL_LIMIT_MS, limit)
        // While it closes, the client resolves calls it never made; only an answer object counts.
        if (answer !== null && typeof answer === 'object') return 'accepted'
        return 'unanswered'
      } catch (error) {
        const code = statusOf(error)
        if (code === GRPC.NOT_FOUND) return 'gone'
        // Failed meanwhile by another worker: the job waits for its back-off or at an incident.
        if (code === GRPC.FAILED_PRECONDITION) return 'unanswered'
        const transient =
          code === GRPC.UNAVAILABLE || code === GRPC.RESOURCE_EXHAUSTED || code === GRPC.DEADLINE_EXCEEDED
        if (!transient || performance.now() + backOff > job.deadline) {
          log.warn('the engine did not take a settlement', {
            jobKey: job.key,
            kind: settlement.kind,
            reason: messageOf(error),
          })
          return 'unanswered'
        }
        await pause(backOff * (0.5 + Math.random()))
        backOff = Math.min(2 * backOff, SETTLE_LONGEST_BACK_OFF_MS)
      }
    }
  }

  const parking = new Parking(tell)
  let keepsBackOffs: Promise<boolean> | undefined

  /** Asked once, however many jobs fail at the same moment; an engine that does not answer is asked again. */
  function engineKeepsBackOffs(): Promise<boolean> {
    keepsBackOffs ??= askForBackOffs().catch(() => {
      keepsBackOffs = undefined
      return false
    })
    return keepsBackOffs
  }

  async function askForBackOffs(): Promise<boolean> {
    const limit = () => new Error('no answer in time')
    const { gatewayVersion: version } = await withTimeLimit(client.topology(), CALL_LIMIT_MS, limit)
    const isSound = isWithoutBackOffFault(version)
    if (!isSound) {
      log.warn(
        'the engine may never hand out a job again that backs off more than once: back-offs that fit in the job timeout are spent in the worker; update Zeebe to 8.5.25, 8.6.13, 8.7 or newer',
        { engine: address, version },
      )
    }
    return isSound
  }

  async function settle(job: Job, settlement: Settlement): Promise<SettleAnswer> {
    const backsOff = settlement.kind === 'fail' && settlement.retries > 0 && settlement.backOffMs > 0
    if (backsOff && !(await engineKeepsBackOffs()) && parking.take(job, settlement)) return 'accepted'
    return await tell(job, settlement)
  }

  async function check(): Promise<void> {
    const limit = () => new Error(`no answer within ${CALL_LIMIT_MS / 1000} s`)
    await withTimeLimit(client.topology(), CALL_LIMIT_MS, limit).catch((cause: unknown) => {
      throw engineUnreachable(address, cause)
    })
  }

  let closing: Promise<void> | undefined
  return {
    name: options.engineName ?? address,

    work(work, handle) {
      return new JobPoller({
        ...work,
        poll: (type, maxJobs, onJobs) => poll(type, maxJobs, work.jobTimeoutMs, onJobs),
        giveBack: async (job) => {
          const message = 'given back by a stopping worker'
          await tell(job, { kind: 'fail', retries: job.retries, backOffMs: 0, message })
        },
        handle,
        log,
      })
    },

    settle,

    ...zeebeInstances({ client, address, tenantId: options.tenantIds[0], check }),

    check,

    close() {
      closing ??= endsWithin(parking.clear(), CLEAR_LIMIT_MS).then(() => closeZeebeClient(client))
      return closing
    },
  }
}

function jobOf(job: ActivatedJob, deadline: number): Job {
  return {
    key: job.key,
    type: job.type,
    processInstanceKey: job.processInstanceKey,
    processId: job.bpmnProcessId,
    processVersion: job.processDefinitionVersion,
    elementId: job.elementId,
    elementInstanceKey: job.elementInstanceKey,
    tenantId: job.tenantId,
    retries: job.retries,
    headers: headersOf(job.customHeaders),
    variables: job.variables,
    deadline,
  }
}

function headersOf(text: string): Record<string, string> {
  const headers: Record<string, string> = {}
  const parsed: unknown = JSON.parse(text)
  if (parsed === null || typeof parsed !== 'object') return headers
  for (const [name, value] of Object.entries(parsed)) headers[name] = String(value)
  return headers
}

function errorIn(answer: unknown): unknown {
  return answer !== null && typeof answer === 'object' && 'error' in answer
    ? answer.error
    : new Error('no stream was opened')
}
