import { v7 as uuidv7 } from 'uuid'
import type { OutboundMessage, Receipt } from '../brokers/broker.js'
import { RelayError, toRelayError } from '../core/errors.js'
import { type AdapterAdmin, failureOf } from './adapter-admin.js'

/** Characters of a message that an audit row keeps. */
const REQUEST_CAP = 8192

/** A message as a person gives it: bytes go out as they are, whatever the adapter's serialization. */
export type AdminMessage = Pick<OutboundMessage, 'topic' | 'value' | 'headers' | (typeof FIELDS)[number]>

/** What not every kind of broker has a place for. */
const FIELDS = [
  ...(['key', 'partition', 'timestamp'] as const),
  ...(['tag', 'keys', 'delayLevel', 'deliverAt', 'messageGroup', 'producerGroup'] as const),
] as const

export type Published = { requestId: string } & ({ receipt: Receipt } | { error: RelayError })

/**
 * Publishes messages that go together, in their order, each with a request id of its own and a row in the audit log;
 * resolves to what became of each.
 * @throws RelayError ADAPTER_DISABLED; INPUT_INVALID naming what the adapter's kind of broker has no place for
 */
export async function publishAll(
  admin: AdapterAdmin,
  messages: readonly AdminMessage[],
): Promise<Published[]> {
  assertPublishable(admin, messages)
  const connection = admin.connection()
  const calls = messages.map(async (message) => {
    const requestId = uuidv7()
    const startedAt = performance.now()
    const headers = { ...message.headers, 'x-request-id': requestId }
    const published: Published = await connection.publish({ ...message, headers, requestId }).then(
      (receipt) => ({ requestId, receipt }),
      (thrown: unknown) => ({ requestId, error: toRelayError(thrown) }),
    )
    return { message, published, durationMs: performance.now() - startedAt }
  })
  const ended = await Promise.all(calls)
  await admin.record(
    ended.map(({ message, published, durationMs }) => ({
      requestId: published.requestId,
      operation: 'publish',
      destination: message.topic,
      receipt: 'receipt' in published ? JSON.stringify(published.receipt) : null,
      durationMs,
      request: requestText(message),
      ...('receipt' in published
        ? { status: 'published' as const, errorCode: null, errorText: null }
        : failureOf(published.error)),
    })),
  )
  return ended.map(({ published }) => published)
}

function assertPublishable({ adapter, driver }: AdapterAdmin, messages: readonly AdminMessage[]): void {
  if (!adapter.enabled) {
    throw new RelayError(
      'ADAPTER_DISABLED',
      `adapter "${adapter.name}" is disabled: enable it first with \`bpmn-relay adapter enable\``,
    )
  }
  for (const field of FIELDS) {
    const isGiven = messages.some((message) => message[field] !== undefined)
    if (isGiven && !driver.inputs.includes(field)) {
      throw new RelayError('INPUT_INVALID', `messages of kind ${driver.kind} have no ${field}: leave it out`)
    }
  }
  if (!driver.acceptsNull && messages.some(({ value }) => value === null)) {
    throw new RelayError(
      'INPUT_INVALID',
      `messages of kind ${driver.kind} need a value: there are no tombstones`,
    )
  }
}

function requestText({ topic: _topic, key, value, headers, ...fields }: AdminMessage): string {
  const names = Object.keys(headers)
  return JSON.stringify({
    ...(key != null && { key: key.toString() }),
    ...(names.length > 0 && { headers: names }),
    ...fields,
    message: value === null ? null : value.toString().slice(0, REQUEST_CAP),
  })
}
