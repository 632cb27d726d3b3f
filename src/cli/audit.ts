import { type Command, Option } from 'commander'
import type { AuditEntry } from '../audit/audit-queries.js'
import type { AuditStatus } from '../audit/call-record.js'
import { parseKey, parseMoment, wholeNumber } from './arguments.js'
import { withWorkbench } from './context.js'
import { table } from './table.js'

const DEFAULT_LIMIT = 50
const MOST_ROWS = 10_000

export function addAuditCommands(program: Command): void {
  program
    .command('audit')
    .description('The audit log: one row for every call.')
    .command('list')
    .description('Show calls, the newest first.')
    .option('--adapter <name>', 'of this adapter, by name or id')
    .addOption(
      new Option('--status <status>', 'that ended so').choices([
        'published',
        'skipped',
        'done',
        'rejected',
        'failed',
      ] satisfies AuditStatus[]),
    )
    .option('--request-id <id>', 'with this request id')
    .option('--process-instance <key>', 'of this process instance', parseKey)
    .option('--since <time>', 'not before: 30m, 1h, 7d ago, or an ISO 8601 time', parseMoment)
    .option('--until <time>', 'before: likewise', parseMoment)
    .option('--limit <count>', 'at most so many', wholeNumber(1, MOST_ROWS), DEFAULT_LIMIT)
    .option('--json', 'one JSON object a line, with requests and responses')
    .addHelpText(
      'after',
      `
A status is published (the broker has it), skipped (dropped by the adapter's module), done (an operator's action),
rejected (permanent, an incident) or failed (passing, tried again).

Examples:
  bpmn-relay audit list --since 1h --status failed
  bpmn-relay audit list --process-instance 2251799813685249
  bpmn-relay audit list --adapter orders --since 2026-01-31T08:00:00Z --limit 1000 --json | jq .errorCode`,
    )
    .action(listCalls)
}

interface ListOptions {
  adapter?: string
  status?: AuditStatus
  requestId?: string
  processInstance?: string
  since?: Date
  until?: Date
  limit: number
  json?: true
}

async function listCalls({ processInstance, json, ...filter }: ListOptions): Promise<void> {
  const { auditEntries } = await import('../audit/audit-queries.js')
  await withWorkbench(async ({ database }) => {
    const entries = await auditEntries(database, { ...filter, processInstanceKey: processInstance })
    if (json) for (const entry of entries) console.log(JSON.stringify(entry))
    else if (entries.length === 0) console.log('No calls match.')
    else console.log(auditTable(entries))
    if (entries.length === filter.limit) console.error(`Only the newest ${filter.limit}: --limit shows more.`)
  })
}

/** What people want to see of audit rows. */
export function auditTable(entries: readonly AuditEntry[]): string {
  const columns = [
    { title: 'AT' },
    { title: 'STATUS' },
    { title: 'ADAPTER' },
    { title: 'TOPIC' },
    { title: 'PROCESS INSTANCE' },
    { title: 'MS', align: 'right' },
    { title: 'REQUEST ID' },
    { title: 'ERROR' },
  ] as const
  const rows = entries.map((entry) => [
    `${entry.at.slice(0, 23)}Z`,
    entry.status,
    entry.adapterName ?? '',
    entry.destination ?? '',
    entry.processInstanceKey ?? '',
    entry.durationMs.toFixed(1),
    entry.requestId,
    entry.errorCode === null ? '' : `${entry.errorCode}: ${entry.errorText ?? ''}`,
  ])
  return table(columns, rows)
}
