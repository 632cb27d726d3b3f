import type { Receipt } from '../brokers/broker.js'
import type { RelayError } from '../core/errors.js'
import type { StartedInstance } from '../engine/engine.js'
import type { DeadLetterStage } from './dead-letter.js'

/** How one delivery of a message ended. */
export type TriggerOutcome =
  | { kind: 'started'; instance: StartedInstance }
  /** `messageKey` null: the engine had it already. */
  | { kind: 'correlated'; messageKey: string | null }
  | { kind: 'forwarded'; receipt: Receipt }
  /** Handled by an earlier delivery; nothing was done now. */
  | { kind: 'repeated' }
  /** The activation condition is not true, or the adapter's own module dropped it. */
  | { kind: 'passed-over' }
  /** Cannot be deserialized, which the trigger takes no notice of. */
  | { kind: 'skipped'; error: RelayError }
  /** Given up. */
  | { kind: 'dead-letter'; error: RelayError }
  /** Comes again. */
  | { kind: 'failed'; error: RelayError; stage: DeadLetterStage }

/** `held`: begins to wait for what is away. */
export type TriggerResult = TriggerOutcome['kind'] | 'held'
