import { driverOf } from '../brokers/registry.js'
import { RelayError, toRelayError } from '../core/errors.js'
import { deadLetterMessage } from './give-up.js'
import { isOutage } from './outages.js'
import type { ActionContext } from './trigger-action.js'
import type { TriggerOutcome } from './trigger-outcome.js'
import type { Consumption } from './trigger-record.js'

export interface FailureContext extends Omit<ActionContext, 'engine'> {
  /** Name of the worker. */
  worker: string
}

/**
 * What becomes of a message that failed through its own fault, or for too long: it comes again, is skipped, or is given up.
 * @throws RelayError while what a dead letter goes through is away
 */
export async function failureOf(
  context: FailureContext,
  consumption: Consumption,
  error: RelayError,
): Promise<TriggerOutcome> {
  const { trigger, message, stage } = consumption
  const hasAttempts = message.attempt < trigger.maxAttempts
  if (error.retryable && hasAttempts) return { kind: 'failed', error, stage }
  if (stage === 'deserialize' && trigger.onUndeserializable === 'skip') return { kind: 'skipped', error }
  const topic = trigger.deadLetterTopic
  if (topic === null) return { kind: 'dead-letter', error }
  try {
    await sendDeadLetter(context, consumption, topic, error)
    return { kind: 'dead-letter', error }
  } catch (thrown) {
    const refusal = toRelayError(thrown)
    if (isOutage(refusal)) throw refusal
    if (refusal.retryable && hasAttempts) return { kind: 'failed', error: refusal, stage }
    const text = `${error.message}\nIt could not be sent to topic ${topic}: ${refusal.message}`
    return { kind: 'dead-letter', error: new RelayError(error.code, text, { cause: error }) }
  }
}

async function sendDeadLetter(
  { directory, registry, connections, unansweredShare, worker }: FailureContext,
  { trigger, message, adapter, requestId, stage }: Consumption,
  topic: string,
  error: RelayError,
): Promise<void> {
  const target = await directory.named(trigger.deadLetterAdapterId ?? trigger.adapterId)
  const from = { id: trigger.adapterId, name: adapter?.name ?? '' }
  const { inputs } = driverOf(registry, target.kind)
  const givenUp = { trigger, adapter: from, requestId, stage, error }
  const letter = deadLetterMessage(message, givenUp, { topic, worker, inputs })
  const connection = directory.connection(target)
  await connections.admit(connection.hash, unansweredShare)
  await connection.publish(letter)
}
