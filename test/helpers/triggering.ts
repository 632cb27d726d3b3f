import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import type { BrokerConnection, OutboundMessage } from '../../src/brokers/broker.js'
import type { TriggerStatus } from '../../src/trigger/trigger-status.js'
import { completeJobs, type JobsOfType } from './jobs.js'
import type { Relay } from './relay.js'
import { waitFor } from './wait-for.js'

/** The action that starts a process. */
export function start(processId: string) {
  return { kind: 'start', processId, version: null } as const
}

/** A process of the test's own, and the variables that its instances are started with. */
export async function startable(t: TestContext, relay: Relay) {
  const { type, ...seen } = completeJobs(t)
  return { processId: await relay.processes.deployTask({ type }), ...seen }
}

/** Publishes messages of these values, all at once. */
export async function send(
  connection: BrokerConnection,
  topic: string,
  values: readonly string[],
  more: Partial<OutboundMessage> = {},
): Promise<void> {
  const sent = values.map((value) =>
    connection.publish({
      ...{ topic, requestId: randomUUID(), headers: {}, value: Buffer.from(value) },
      ...more,
    }),
  )
  await Promise.all(sent)
}

/** Waits until each of `count` payloads has come. @returns how many came besides, a second time */
export async function repetitions(
  { jobs }: Pick<JobsOfType, 'jobs'>,
  count: number,
  limitMs: number,
): Promise<number> {
  const payloads = () => new Set(jobs.map(({ variables }) => JSON.parse(variables).payload))
  await waitFor(`${count} payloads`, () => payloads().size === count, limitMs)
  return jobs.length - count
}

/** Of all deliveries from a topic, as the audit log has them. */
export async function statuses(relay: Relay, topic: string): Promise<string[]> {
  const rows = await relay.database.query<{ status: string }>(
    `SELECT status FROM sys_audit_log WHERE source = 'trigger' AND destination = $1`,
    [topic],
  )
  return rows.map(({ status }) => status)
}

/** Of a trigger, once so many are there. */
export async function deadLetters(relay: Relay, triggerId: string, count: number) {
  return await waitFor(`${count} dead letters`, async () => {
    const rows = await relay.database.query<{ stage: string; error_text: string }>(
      'SELECT stage, error_text FROM dead_letter WHERE trigger_id = $1',
      [triggerId],
    )
    return rows.length >= count && rows
  })
}

/** Of all triggers, as the worker's last heartbeat tells. */
export async function triggerStates(relay: Relay): Promise<Record<string, TriggerStatus>> {
  const [row] = await relay.database.query<{ triggers: Record<string, TriggerStatus> }>(
    'SELECT triggers FROM worker_state',
  )
  return row?.triggers ?? {}
}

/** What a worker tells of a trigger, once that is as wanted. */
export async function statusOf(
  relay: Relay,
  triggerId: string,
  isWanted: (status: TriggerStatus) => boolean,
): Promise<TriggerStatus> {
  return await waitFor('the status of the trigger', async () => {
    const status = (await triggerStates(relay))[triggerId]
    return status !== undefined && isWanted(status) && status
  })
}
