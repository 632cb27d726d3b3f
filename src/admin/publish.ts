import { v7 as uuidv7 } from 'uuid'
import { DROPPED, type Dropped, type Serialized, type Side } from '../adapters/serialization/serializer.js'
import type { AdminAction } from '../audit/admin-actions.js'
import type { Capture } from '../audit/capture.js'
import type { OutboundMessage, Receipt } from '../brokers/broker.js'
import { batching } from '../core/batching.js'
import { RelayError, toRelayError } from '../core/errors.js'
import type { AdapterAdmin } from './adapter-admin.js'
import { failureOf } from './audited.js'

/** Rows that are written as one statement, at most. */
const ROWS = 500

/** A key or value as a person gives it: for the adapter's serialization, or bytes that go out as they are. */
export type Given = { json: string } | { bytes: Buffer } | null

/** Beside the key, what not every kind of broker has a place for. */
const FIELDS = [
  ...(['partition', 'timestamp'] as const),
  ...(['tag', 'keys', 'delayLevel', 'deliverAt', 'messageGroup', 'producerGroup'] as const),
] as const

export interface AdminMessage extends Pick<OutboundMessage, 'topic' | 'headers' | (typeof FIELDS)[number]> {
  value: Given
  key?: Given
}

/** What became of a message. */
export type Published =
  | { kind: 'published'; requestId: string; receipt: Receipt }
  /** The adapter's module does not want it sent. */
  | { kind: 'skipped'; requestId: string }
  | { kind: 'refused'; requestId: string; error: RelayError }
  /** One before it was refused before this one was under way. */
  | { kind: 'unsent' }

type Ended = Exclude<Published, { kind: 'unsent' }>

/**
 * Publishes messages one after the other, each with a request id of its own and a row in the audit log. They are under
 * way side by side, but set out in the order they are given: each waits for those before it to be serialized and to
 * have their turn. After the first that is refused no other sets out.
 * @throws RelayError ADAPTER_DISABLED
 */
export function createPublisher(admin: AdapterAdmin): (message: AdminMessage) => Promise<Published> {
  const { adapter } = admin
  if (!adapter.enabled) {
    throw new RelayError(
      'ADAPTER_DISABLED',
      `adapter "${adapter.name}" is disabled: enable it first with \`bpmn-relay adapter enable\``,
    )
  }
  const rows = batching<AdminRow, void>(ROWS, async (batch) => {
    await admin.record(batch)
    return batch.map(() => ({ ok: true, value: undefined }))
  })
  let before: Promise<unknown> = Promise.resolve()
  let isRefused = false

  async function publish(message: AdminMessage): Promise<Published> {
    const requestId = uuidv7()
    const startedAt = performance.now()
    const departure = before.then(() => (isRefused ? undefined : depart(admin, message, requestId)))
    before = departure.catch(() => {
      isRefused = true
    })
    const published = await departure
      .then(async (departed): Promise<Published> => {
        if (departed === undefined) return { kind: 'unsent' }
        if (departed === DROPPED) return { kind: 'skipped', requestId }
        return { kind: 'published', requestId, receipt: await departed.receipt }
      })
      .catch((thrown: unknown): Published => {
        isRefused = true
        return { kind: 'refused', requestId, error: toRelayError(thrown) }
      })
    if (published.kind !== 'unsent') {
      await rows.add(rowOf(message, published, performance.now() - startedAt, admin.capture))
    }
    return published
  }
  return publish
}

/** Resolves once the message is on its way, or is not to be sent. */
async function depart(
  admin: AdapterAdmin,
  message: AdminMessage,
  requestId: string,
): Promise<{ receipt: Promise<Receipt> } | Dropped> {
  const { value: givenValue, key: givenKey, headers, ...place } = message
  const { topic } = place
  assertNoStrangers(admin, message)
  const value = await bytesOf(admin, 'value', givenValue, topic)
  const key = givenKey === undefined ? undefined : await bytesOf(admin, 'key', givenKey, topic)
  if (value === DROPPED || key === DROPPED) return DROPPED
  if (value === null && !admin.driver.acceptsNull) {
    throw new RelayError(
      'INPUT_INVALID',
      `messages of kind ${admin.driver.kind} need a value: there are no tombstones`,
    )
  }
  const connection = admin.connection()
  await admin.turn()
  const receipt = connection.publish({
    ...{ ...place, requestId, value, key },
    headers: { ...headers, 'x-request-id': requestId },
  })
  return { receipt }
}

async function bytesOf(admin: AdapterAdmin, side: Side, given: Given, topic: string): Promise<Serialized> {
  if (given === null) return null
  return 'bytes' in given ? given.bytes : await admin.serializers()[side].serialize(given.json, topic)
}

function assertNoStrangers({ driver }: AdapterAdmin, message: AdminMessage): void {
  for (const field of ['key', ...FIELDS] as const) {
    if (message[field] !== undefined && !driver.inputs.includes(field)) {
      throw new RelayError('INPUT_INVALID', `messages of kind ${driver.kind} have no ${field}: leave it out`)
    }
  }
}

type AdminRow = Omit<AdminAction, 'actor' | 'adapterId' | 'adapterName' | 'adapterKind'>

function rowOf(message: AdminMessage, ended: Ended, durationMs: number, capture: Capture): AdminRow {
  const row = {
    requestId: ended.requestId,
    operation: 'publish' as const,
    destination: message.topic,
    durationMs,
    request: requestOf(message, capture),
  }
  const fine = { errorCode: null, errorText: null }
  switch (ended.kind) {
    case 'published':
      return { ...row, ...fine, status: 'published', receipt: JSON.stringify(ended.receipt) }
    case 'skipped':
      return { ...row, ...fine, status: 'skipped', receipt: null }
    case 'refused':
      return { ...row, receipt: null, ...failureOf(ended.error) }
    default:
      return ended satisfies never
  }
}

function requestOf(
  { topic: _, key, value, headers, ...fields }: AdminMessage,
  capture: Capture,
): string | null {
  const members = Object.entries({ headers: Object.keys(headers), ...fields })
    .filter(([, member]) => member !== undefined && !(Array.isArray(member) && member.length === 0))
    .map(([name, member]): [string, string] => [name, JSON.stringify(member)])
  if (key != null) members.unshift(['key', jsonOf(key)])
  return capture(members, value === null ? 'null' : jsonOf(value))
}

function jsonOf(given: NonNullable<Given>): string {
  return 'bytes' in given ? JSON.stringify(given.bytes.toString()) : given.json
}
