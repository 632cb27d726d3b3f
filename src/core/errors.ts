/** How a failed publish ends for its job: see "What a failure does" in docs/errors.md. */
export type FailureOutcome = 'rejected' | 'failed' | 'held'

interface ErrorKind {
  /** `rejected`: permanent, repeating it cannot help. `failed`: transient. `held`: not the message's fault. */
  outcome: FailureOutcome
  meaning: string
}

/**
 * Every code an error of this program can carry. Codes are stable: processes match on them.
 * docs/errors.md lists the same codes; a guard test compares both ways.
 */
export const ERRORS = {
  INPUT_INVALID: {
    outcome: 'rejected',
    meaning: 'an input of the task is missing, empty or of the wrong type',
  },
  ADAPTER_UNKNOWN: { outcome: 'rejected', meaning: 'no adapter has this id or name' },
  ADAPTER_WRONG_KIND: { outcome: 'rejected', meaning: 'the adapter belongs to the other kind of broker' },
  ENV_UNKNOWN: { outcome: 'rejected', meaning: 'an @env(NAME) names a variable that does not exist' },
  SETTINGS_INVALID: {
    outcome: 'rejected',
    meaning:
      'a setting of the adapter, trigger, notifier or alert policy is missing, unknown or contradicts another',
  },
  VALUE_NOT_SERIALIZABLE: {
    outcome: 'rejected',
    meaning: "the value does not fit the adapter's serialization",
  },
  EXPRESSION_INVALID: {
    outcome: 'rejected',
    meaning: 'an expression of the task or trigger is wrong, or gives what it must not',
  },
  VALUE_NOT_DESERIALIZABLE: {
    outcome: 'rejected',
    meaning: "received bytes do not fit the adapter's serialization",
  },
  SCHEMA_UNKNOWN: { outcome: 'rejected', meaning: 'the schema registry has no such schema or subject' },
  SCHEMA_INVALID: {
    outcome: 'rejected',
    meaning: 'the schema cannot be used, or the schema registry refused it',
  },
  SCHEMA_REGISTRY_UNREACHABLE: {
    outcome: 'failed',
    meaning: 'the schema registry did not answer, or answered that it cannot just now',
  },
  MESSAGE_TOO_LARGE: { outcome: 'rejected', meaning: 'the message exceeds the limit of the topic or broker' },
  TOPIC_INVALID: { outcome: 'rejected', meaning: 'the broker does not accept this topic name' },
  TOPIC_UNKNOWN: {
    outcome: 'rejected',
    meaning: 'the topic does not exist and the broker does not create it',
  },
  PARTITION_UNKNOWN: { outcome: 'rejected', meaning: 'the topic has no such partition' },
  NOT_AUTHORIZED: {
    outcome: 'rejected',
    meaning: 'broker or schema registry does not allow this client to do this',
  },
  NOT_SUPPORTED: { outcome: 'rejected', meaning: 'the protocol of the adapter cannot do what was asked' },
  BROKER_REFUSED: {
    outcome: 'rejected',
    meaning: 'the broker refused the message or request for good, for another reason',
  },
  AUTHENTICATION_FAILED: {
    outcome: 'failed',
    meaning: 'broker or schema registry does not accept the credentials of the adapter',
  },
  BROKER_UNREACHABLE: {
    outcome: 'failed',
    meaning: 'no connection to the broker could be made, or it was lost',
  },
  BROKER_TIMEOUT: {
    outcome: 'failed',
    meaning: 'the broker did not answer in time; the message may have arrived',
  },
  BROKER_UNAVAILABLE: {
    outcome: 'failed',
    meaning: 'the broker answered that it cannot take the message just now',
  },
  INTERNAL: { outcome: 'failed', meaning: 'a fault of bpmn-relay itself' },
  ADAPTER_DISABLED: { outcome: 'held', meaning: 'the adapter is disabled for maintenance' },
  ADAPTER_OUT_OF_SERVICE: {
    outcome: 'held',
    meaning:
      'the broker could not be reached several times in a row; one message at a time tries whether it is back',
  },
  ADAPTER_UNANSWERING: {
    outcome: 'held',
    meaning: 'the broker leaves sends unanswered and the adapter has used its share',
  },
  ADAPTER_RATE_LIMITED: {
    outcome: 'held',
    meaning: 'the adapter has reached its rate limit; the job comes back when its turn is due',
  },
  DATABASE_AWAY: { outcome: 'held', meaning: 'Postgres cannot be reached, so nothing is published' },
  SPOOL_FULL: {
    outcome: 'held',
    meaning:
      'Postgres cannot be reached and the spool of the worker can take no more, so nothing is published',
  },
  DEADLINE_PASSED: { outcome: 'held', meaning: 'too little of the job timeout is left to start a send' },
  WORKER_STOPPING: { outcome: 'held', meaning: 'the worker is stopping and gives the job back' },
  CONFIG_INVALID: { outcome: 'rejected', meaning: 'the configuration of the worker is wrong' },
  DATABASE_UNREACHABLE: {
    outcome: 'failed',
    meaning: 'Postgres cannot be reached at start-up or from the command line',
  },
  DATABASE_NOT_MIGRATED: { outcome: 'rejected', meaning: 'the database schema is older than this program' },
  ENGINE_UNREACHABLE: { outcome: 'failed', meaning: 'the process engine cannot be reached' },
  ENGINE_BUSY: { outcome: 'held', meaning: 'the process engine has as much to do as it can take' },
  ENGINE_FAILED: {
    outcome: 'failed',
    meaning: 'the process engine answered with a fault of its own',
  },
  ENGINE_REFUSED: {
    outcome: 'rejected',
    meaning: 'the process engine refused for good to start a process or to take a BPMN message',
  },
  PROCESS_UNKNOWN: { outcome: 'rejected', meaning: 'the process engine has no such process or version' },
  FORWARD_LOOP: { outcome: 'rejected', meaning: 'triggers forward the message again and again' },
  COMPLETION_UNKNOWN: {
    outcome: 'rejected',
    meaning:
      'a process instance that a trigger waits for did not end in time, or nobody knows whether it did: it may run',
  },
  NAME_TAKEN: {
    outcome: 'rejected',
    meaning: 'another of its kind, such as an adapter or a topic, already has this name',
  },
  ADAPTER_IN_USE: { outcome: 'rejected', meaning: 'triggers still refer to the adapter' },
  ENV_IN_USE: {
    outcome: 'rejected',
    meaning: 'the environment variable is still used by adapters or notifiers',
  },
  NOTIFIER_IN_USE: { outcome: 'rejected', meaning: 'alert policies still name the notifier' },
  NOTIFIER_DISABLED: {
    outcome: 'rejected',
    meaning: 'the notifier is disabled; the notice is not delivered',
  },
  NOTIFIER_REFUSED: { outcome: 'rejected', meaning: 'the receiver of notices refused one for good' },
  NOTIFIER_UNREACHABLE: {
    outcome: 'failed',
    meaning:
      'the receiver of notices could not be reached, did not answer in time, or cannot take one just now',
  },
  MODULE_INVALID: {
    outcome: 'rejected',
    meaning: 'files given to `bpmn-relay apply` declare something wrong; the message lists each place',
  },
  APPLY_UNDER_WAY: { outcome: 'failed', meaning: 'another `bpmn-relay apply` is at work on this database' },
  NOT_FOUND: { outcome: 'rejected', meaning: 'there is nothing under this id or name' },
  GROUP_ACTIVE: {
    outcome: 'rejected',
    meaning: 'the consumer group has members, which have its offsets in hand',
  },
  MASTER_KEY_MISSING: {
    outcome: 'rejected',
    meaning: 'a secret cannot be read or written without the master key',
  },
  STACK_PREREQUISITE_MISSING: {
    outcome: 'rejected',
    meaning: 'a local server needs Java or Maven, which is not installed',
  },
  STACK_SERVER_FAILED: { outcome: 'failed', meaning: 'a local server did not start' },
} as const satisfies Record<string, ErrorKind>

export type ErrorCode = keyof typeof ERRORS

/** The one error class of the program: a stable code, whether repeating can help, and the cause. */
export class RelayError extends Error {
  override readonly name = 'RelayError'
  readonly code: ErrorCode
  /** When to try again, milliseconds from now, where that is known. */
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryAfterMs?: number } = {}) {
    super(message, options)
    this.code = code
    this.retryAfterMs = options.retryAfterMs
  }

  get outcome(): FailureOutcome {
    return ERRORS[this.code].outcome
  }

  /** Whether the same call may succeed later without a change by a person. */
  get retryable(): boolean {
    return this.outcome !== 'rejected'
  }
}

/** Any thrown value as a RelayError: one of ours unchanged, anything else as a fault of this program. */
export function toRelayError(thrown: unknown): RelayError {
  if (thrown instanceof RelayError) return thrown
  return new RelayError('INTERNAL', `unexpected: ${messageOf(thrown)}`, { cause: thrown })
}

/** The text of any thrown value; libraries throw strings, undefined and errors with an empty message. */
export function messageOf(thrown: unknown): string {
  if (thrown instanceof AggregateError && !thrown.message) return thrown.errors.map(messageOf).join('; ')
  if (thrown instanceof Error) return thrown.message || thrown.name
  return String(thrown)
}

/** The `code` of an error of Node.js, such as ENOENT. */
export function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : undefined
}
