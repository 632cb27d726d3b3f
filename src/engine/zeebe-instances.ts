import type { ZBClient } from 'zeebe-node'
import { messageOf, RelayError, toRelayError } from '../core/errors.js'
import { withTimeLimit } from '../core/time-limit.js'
import type { Engine, InstanceStart } from './engine.js'
import { Pace } from './pace.js'
import { engineUnreachable, GRPC, statusOf } from './zeebe-client.js'

/** Longer than the gateway's own limit of 15 s: the longer answers are waited for, the fewer are lost. */
const CALL_LIMIT_MS = 20_000
/**
 * So much longer than we do the gateway waits for an instance. Engines of 2024, such as 8.6.0, close their connection to a
 * broker when a wait of the gateway is over (camunda/camunda#25596), and with it all calls of the moment: instances are
 * started twice, and jobs wait out their timeout.
 */
const GATEWAY_OVERTIME_MS = 60 * 60 * 1000
/** Gateway and broker take messages of 4 MiB, frame included; a larger one would be refused like too many. */
const MOST_BYTES = 4 * 1024 * 1024 - 16 * 1024
const NEWEST_VERSION = -1
/** Asked for where no variable is wanted: the engine would answer with all of them. */
const NO_VARIABLES = ['bpmn-relay wants none']

/** Answers by which the engine tells for certain that it did nothing. */
const DECLINED: ReadonlySet<number | undefined> = new Set([
  GRPC.INVALID_ARGUMENT,
  GRPC.NOT_FOUND,
  GRPC.PERMISSION_DENIED,
  GRPC.RESOURCE_EXHAUSTED,
  GRPC.FAILED_PRECONDITION,
  GRPC.UNIMPLEMENTED,
  GRPC.UNAUTHENTICATED,
])

interface Connected {
  client: ZBClient
  address: string
  /** Of the processes and messages; undefined: the default one. */
  tenantId: string | undefined
  check: Engine['check']
}

/** The part of the engine that triggers use. */
export function zeebeInstances(connected: Connected): Pick<Engine, 'start' | 'correlate'> {
  const { client, address, tenantId, check } = connected
  // Below the client's own methods, which write variables with JSON.stringify. The member is private: the client's
  // version is pinned, and the contract tests call these.
  // biome-ignore lint/complexity/useLiteralKeys: TypeScript lets a private member be read only this way
  const grpc = client['grpc']
  // Not for what is awaited: it would keep its turn for as long.
  const pace = new Pace((error) => statusOf(error) === GRPC.RESOURCE_EXHAUSTED)

  async function start(instance: InstanceStart): Promise<{ processInstanceKey: string; version: number }> {
    const { processId: bpmnProcessId, version, variables, awaitMs } = instance
    const request = { bpmnProcessId, version: version ?? NEWEST_VERSION, variables, ...tenant(tenantId) }
    if (awaitMs === undefined) {
      return await pace.run(() =>
        answered(grpc.createProcessInstanceSync({ ...request, startInstructions: [] }), CALL_LIMIT_MS),
      )
    }
    // Without this, every message would be taken for one that may run while the engine is away.
    await check()
    const requestTimeout = awaitMs + GATEWAY_OVERTIME_MS
    return await ended({ request, requestTimeout, fetchVariables: NO_VARIABLES }, awaitMs)
  }

  /** One call of the service below the client, whose own method cannot end it before the gateway does. */
  async function ended(
    request: object,
    limitMs: number,
  ): Promise<{ processInstanceKey: string; version: number }> {
    const notBegun = (cause: unknown) => engineUnreachable(address, cause)
    const metadata = await Promise.resolve(grpc.getAuthToken()).catch((cause: unknown) => {
      throw notBegun(cause)
    })
    return await new Promise((resolve, reject) => {
      const deadline = Date.now() + limitMs
      try {
        grpc.client.createProcessInstanceWithResult(
          ...[request, metadata, { deadline }],
          (error: Error | null, answer: { processInstanceKey: string; version: number }) =>
            error ? reject(error) : resolve(answer),
        )
      } catch (error) {
        // It is being closed.
        reject(notBegun(error))
      }
    })
  }

  /** A connection cut off amid a call can look like a failure of the engine: only one that is there has failed. */
  async function judged(error: RelayError): Promise<RelayError> {
    if (error.code !== 'ENGINE_FAILED') return error
    return await check().then(() => error, toRelayError)
  }

  return {
    async start(instance) {
      refuseTooLarge(instance.variables)
      try {
        const { processInstanceKey, version } = await start(instance)
        return { processInstanceKey, processVersion: version }
      } catch (error) {
        if (error instanceof RelayError) throw error
        if (statusOf(error) === GRPC.NOT_FOUND) throw processUnknown(instance, error)
        const { awaitMs } = instance
        if (awaitMs !== undefined && !DECLINED.has(statusOf(error)))
          throw completionUnknown(instance, awaitMs, error)
        throw await judged(refusal(`starting process "${instance.processId}"`, instance, address, error))
      }
    },

    async correlate({ name, correlationKey, messageId, ttlMs: timeToLive, variables }) {
      refuseTooLarge(variables)
      const message = { name, correlationKey, messageId, timeToLive, variables, ...tenant(tenantId) }
      try {
        const answer = await pace.run(() => answered(grpc.publishMessageSync(message), CALL_LIMIT_MS))
        return 'key' in answer ? String(answer.key) : ''
      } catch (error) {
        if (statusOf(error) === GRPC.ALREADY_EXISTS) return null
        throw await judged(refusal(`message "${name}"`, { variables }, address, error))
      }
    },
  }
}

function tenant(tenantId: string | undefined): { tenantId?: string } {
  return tenantId === undefined ? {} : { tenantId }
}

/** While it closes, the client gives nothing instead of an answer. */
async function answered<T extends object>(call: Promise<T> | undefined, limitMs: number): Promise<T> {
  if (call === undefined) throw unanswered('the connection is being closed')
  return await withTimeLimit(call, limitMs, () => unanswered(`no answer within ${limitMs / 1000} s`))
}

function unanswered(reason: string): Error {
  return Object.assign(new Error(reason), { code: GRPC.DEADLINE_EXCEEDED })
}

function refuseTooLarge(variables: string): void {
  const bytes = Buffer.byteLength(variables)
  if (bytes <= MOST_BYTES) return
  throw new RelayError(
    'MESSAGE_TOO_LARGE',
    `the variables have ${bytes} bytes, and the engine takes ${MOST_BYTES}: hand over less of the message by an expression for the variables`,
  )
}

function processUnknown({ processId, version }: InstanceStart, cause: unknown): RelayError {
  const what = version === null ? `process "${processId}"` : `version ${version} of process "${processId}"`
  return new RelayError(
    'PROCESS_UNKNOWN',
    `the engine has no ${what}: deploy it, or correct the process id or version of the trigger`,
    { cause },
  )
}

function completionUnknown(instance: InstanceStart, awaitMs: number, cause: unknown): RelayError {
  const why =
    statusOf(cause) === GRPC.DEADLINE_EXCEEDED
      ? `it has not ended after ${awaitMs} ms`
      : `the connection to the engine was lost meanwhile (${messageOf(cause)})`
  return new RelayError(
    'COMPLETION_UNKNOWN',
    `an instance of process "${instance.processId}" was started and may run on, but ${why}: look for it in the engine before you replay the message, which starts another`,
    { cause },
  )
}

function refusal(
  what: string,
  { variables }: { variables: string },
  address: string,
  cause: unknown,
): RelayError {
  const reason = messageOf(cause)
  switch (statusOf(cause)) {
    case GRPC.RESOURCE_EXHAUSTED:
      return new RelayError('ENGINE_BUSY', `${what}: the engine cannot take more just now: ${reason}`, {
        cause,
      })
    case GRPC.INVALID_ARGUMENT:
    case GRPC.NOT_FOUND:
    case GRPC.FAILED_PRECONDITION:
    case GRPC.UNIMPLEMENTED:
      return new RelayError('ENGINE_REFUSED', `${what}: the engine refused: ${reason}`, { cause })
    case GRPC.UNKNOWN:
    case GRPC.INTERNAL: {
      // What becomes of 2 MiB of variables in the engine exceeds its own 4 MiB, and it says no more than this.
      const bytes = Buffer.byteLength(variables)
      const text = `${what}: the engine failed: ${reason} (the variables have ${bytes} bytes; with more than 2 MiB it fails so)`
      return new RelayError('ENGINE_FAILED', text, { cause })
    }
    default:
      // Credentials that are not accepted are no fault of a message either.
      return engineUnreachable(address, cause)
  }
}
