import type { Settled } from './gateway-proxy.js'
import type { AuditRow, Relay } from './relay.js'

/** gRPC: OK; and NOT_FOUND, for a completion that is told once more as its first answer was lost. */
const ENDED = [0, 5]

/** Keys of the jobs whose completion the engine has accepted. */
export function completedJobs({ gateway }: Relay): Set<string> {
  return keysOf(
    gateway.settled.filter(
      ({ kind, status }) => kind === 'complete' && status !== undefined && ENDED.includes(status),
    ),
  )
}

/** Keys of the jobs that failed, at least once, for a reason of the broker. */
export function failedJobs({ gateway }: Relay): Set<string> {
  return keysOf(
    gateway.settled.filter(({ kind, message }) => kind === 'fail' && message.startsWith('BROKER_')),
  )
}

/** Keys of the jobs that were given back, at least once, as their adapter could not take them. */
export function heldJobs({ gateway }: Relay): Set<string> {
  return keysOf(gateway.settled.filter(({ message }) => message.startsWith('ADAPTER_')))
}

/** Reasons of the failures that left a job no retry. */
export function incidents({ gateway }: Relay): string[] {
  return gateway.settled
    .filter(({ kind, retries }) => kind === 'fail' && retries === 0)
    .map(({ message }) => message)
}

function keysOf(settled: Settled[]): Set<string> {
  return new Set(settled.map(({ jobKey }) => jobKey))
}

/** What is known of the jobs that were not completed: their calls and what the engine was told. */
export async function storyOfUnfinished(relay: Relay): Promise<string> {
  const rows = await relay.database.query<AuditRow & { at: Date }>(
    'SELECT * FROM sys_audit_log ORDER BY at, id',
  )
  const completed = completedJobs(relay)
  const calls = rows
    .filter((row) => !completed.has(row.job_key))
    .map(
      (row) =>
        `${row.at.toISOString()} job ${row.job_key} attempt ${row.attempt}: ${row.status} ${row.error_text ?? ''}`,
    )
  const told = relay.gateway.settled
    .filter(({ jobKey }) => !completed.has(jobKey))
    .map(
      ({ jobKey, kind, retries, message, status }) =>
        `job ${jobKey}: ${kind} ${message}, ${retries} retries left, answered with ${status}`,
    )
  return [...calls, ...told].join('\n')
}
