import type { TriggerSettings } from './trigger.js'

/**
 * What is not said of a trigger. Its group is `bpmn-relay-NAME`, of the name it was made with, and its order `none` where
 * its adapter keeps no other.
 */
export const TRIGGER_DEFAULTS = {
  description: '',
  topics: [],
  topicPattern: null,
  filter: null,
  order: 'key',
  concurrency: null,
  activationCondition: null,
  variables: null,
  acknowledge: 'accepted',
  completionTimeoutMs: null,
  initialOffset: 'latest',
  onUndeserializable: 'dead-letter',
  maxAttempts: 5,
  retryBackOffMs: 1000,
  retryBackOffMaxMs: 60_000,
  deadLetterTopic: null,
  deadLetterAdapterId: null,
  state: 'running',
} as const satisfies Partial<TriggerSettings>

/** Of a message for the engine. */
export const DEFAULT_MESSAGE_TTL_MS = 3_600_000
/** With acknowledge `completed`. */
export const DEFAULT_COMPLETION_TIMEOUT_MS = 300_000
