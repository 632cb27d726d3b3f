import { RelayError } from '../core/errors.js'
import type { TriggerSettings } from './trigger.js'

/** A pattern as names of topics are held against it: the whole name must match. @throws RelayError SETTINGS_INVALID */
export function topicPattern(pattern: string): RegExp {
  try {
    // Alone first: a bracket too many could else close the group that is put around it.
    return new RegExp(`^(?:${new RegExp(pattern).source})$`)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new RelayError(
      'SETTINGS_INVALID',
      `topicPattern cannot be used: ${reason}; write a JavaScript regular expression`,
      { cause },
    )
  }
}

/** Whether a trigger listens to this topic. */
export function listensTo({ topics, topicPattern: pattern }: TriggerSettings, topic: string): boolean {
  return pattern === null ? topics.includes(topic) : topicPattern(pattern).test(topic)
}
