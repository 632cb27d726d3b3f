import type { AdapterDirectory } from '../adapters/directory.js'
import type { Connections } from '../brokers/connections.js'
import { type DriverRegistry, driverOf } from '../brokers/registry.js'
import type { InboundMessage } from '../brokers/subscription.js'
import { RelayError } from '../core/errors.js'
import type { Engine } from '../engine/engine.js'
import type { DeadLetterStage } from './dead-letter.js'
import { headerText } from './message-view.js'
import { onwardMessage } from './onward-message.js'
import type { Trigger, TriggerAction } from './trigger.js'
import type { Evaluated } from './trigger-expressions.js'
import type { TriggerOutcome } from './trigger-outcome.js'

/** How often a message was forwarded; grows with each time. */
const HOPS = 'x-bpmn-relay-hops'
const MOST_HOPS = 8

export interface ActionContext {
  engine: Pick<Engine, 'name' | 'start' | 'correlate' | 'check'>
  directory: AdapterDirectory
  registry: DriverRegistry
  connections: Connections
  /** Sends an unanswering broker may keep. */
  unansweredShare: number
}

/** What is told of a message on its way. */
export interface Acting {
  readonly trigger: Trigger
  readonly message: InboundMessage
  readonly requestId: string
  /** What is being done; of a failure, what failed. */
  stage: DeadLetterStage
}

/** Starts an instance. @throws RelayError */
export async function startInstance(
  engine: ActionContext['engine'],
  { processId, version }: Extract<TriggerAction, { kind: 'start' }>,
  evaluated: Evaluated,
  acting: Acting,
): Promise<TriggerOutcome> {
  const { trigger } = acting
  acting.stage = 'variables'
  const variables = evaluated.variables(trigger)
  const awaitMs = trigger.completionTimeoutMs ?? undefined
  acting.stage = awaitMs === undefined ? 'action' : 'completion'
  return { kind: 'started', instance: await engine.start({ processId, version, variables, awaitMs }) }
}

/** Hands a BPMN message over. @throws RelayError */
export async function correlateMessage(
  engine: ActionContext['engine'],
  action: Extract<TriggerAction, { kind: 'message' }>,
  evaluated: Evaluated,
  acting: Acting,
): Promise<TriggerOutcome> {
  const { trigger, message } = acting
  acting.stage = 'correlation'
  const correlationKey = evaluated.text('correlationKey', action.correlationKey)
  const messageId = action.messageId === null ? message.id : evaluated.text('messageId', action.messageId)
  acting.stage = 'variables'
  const variables = evaluated.variables(trigger)
  acting.stage = 'action'
  const { name, ttlMs } = action
  const messageKey = await engine.correlate({ name, correlationKey, messageId, ttlMs, variables })
  return { kind: 'correlated', messageKey }
}

/** Publishes it through another adapter. @throws RelayError */
export async function forwardMessage(
  { directory, registry, connections, unansweredShare }: ActionContext,
  action: Extract<TriggerAction, { kind: 'forward' }>,
  acting: Acting,
): Promise<TriggerOutcome> {
  const { trigger, message, requestId } = acting
  acting.stage = 'action'
  const hops = hopsOf(message, trigger)
  const target = directory.known(action.adapterId) ?? (await directory.named(action.adapterId))
  const topic = action.topic ?? message.topic
  const onward = { topic, requestId, headers: { [HOPS]: String(hops + 1) } }
  const outbound = onwardMessage(message, onward, driverOf(registry, target.kind).inputs)
  const connection = directory.connection(target)
  const turn = connections.admit(connection.hash, unansweredShare)
  if (turn) await turn
  return { kind: 'forwarded', receipt: await connection.publish(outbound) }
}

function hopsOf(message: InboundMessage, { name }: Trigger): number {
  const hops = Number(headerText(message, HOPS) ?? 0)
  if (!Number.isInteger(hops) || hops < MOST_HOPS) return Number.isInteger(hops) ? hops : 0
  throw new RelayError(
    'FORWARD_LOOP',
    `the message was forwarded ${hops} times already (header ${HOPS}), last to topic ${message.topic}: trigger "${name}" seems to be part of a loop of forwards; break it, or take the header off the message`,
  )
}
