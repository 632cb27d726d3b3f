import { type FileHandle, open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { type Command, Option } from 'commander'
import type { AuditEntry } from '../audit/audit-entry.js'
import type { ExportFormat } from '../audit/audit-export.js'
import type { AuditFilter } from '../audit/audit-filter.js'
import type { AuditRow, AuditStatus } from '../audit/call-record.js'
import { messageOf, RelayError } from '../core/errors.js'
import { parseKey, parseMoment, wholeNumber } from './arguments.js'
import { withWorkbench } from './context.js'
import { table } from './table.js'

const DEFAULT_LIMIT = 50
const MOST_ROWS = 10_000
const STATUSES = ['published', 'skipped', 'done', 'rejected', 'failed'] as const satisfies AuditStatus[]
const SOURCES = ['job', 'api', 'trigger', 'admin'] as const satisfies AuditRow['source'][]

const WORDS = `
A status is published (the broker has it), skipped (dropped by the adapter's module), done (an operator's action),
rejected (permanent, an incident) or failed (passing, tried again). A row must match all options given.
docs/audit-log.md tells the operations and columns.
`

export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('The audit log: one row for every call.')

  withFilter(audit.command('list'))
    .description('Show calls, the newest first, page by page.')
    .option('--limit <count>', 'rows of a page at most', wholeNumber(1, MOST_ROWS), DEFAULT_LIMIT)
    .option('--page <place>', 'the page that begins there, as the page before tells at its end')
    .option('--total', 'also tell how many there are, or about how many')
    .option('--json', 'one JSON object a line, with requests and responses')
    .addHelpText(
      'after',
      `${WORDS}
Examples:
  bpmn-relay audit list --since 1h --status failed
  bpmn-relay audit list --process-instance 2251799813685249
  bpmn-relay audit list --adapter orders --error-code BROKER_TIMEOUT --since 7d --total
  bpmn-relay audit list --since 1d --text '"orderId":4711' --json | jq .request`,
    )
    .action(listCalls)

  withFilter(audit.command('export'))
    .description('Write all calls that match, the newest first, to a file or to the standard output.')
    .addOption(new Option('--format <format>', 'format').choices(['ndjson', 'csv']).default('ndjson'))
    .option('--output <file>', 'a new file to write to')
    .addHelpText(
      'after',
      `${WORDS}
NDJSON is one JSON object a line. In CSV, a text that a spreadsheet would take for a formula has an apostrophe before it.

Examples:
  bpmn-relay audit export --since 2026-01-01T00:00:00Z --until 2026-02-01T00:00:00Z --format csv --output january.csv
  bpmn-relay audit export --source admin --since 30d | gzip > operators.ndjson.gz`,
    )
    .action(exportCalls)
}

interface FilterOptions
  extends Omit<AuditFilter, 'processInstanceKey' | 'processId' | 'elementId' | 'jobKey'> {
  processInstance?: string
  process?: string
  element?: string
  job?: string
}

function withFilter(command: Command): Command {
  return command
    .option('--adapter <name>', 'of this adapter, by name or id')
    .option('--kind <kind>', 'through adapters of this kind: kafka or rocketmq')
    .addOption(new Option('--source <source>', 'made by').choices(SOURCES))
    .option('--operation <name>', 'of this operation, such as publish or topic.create')
    .addOption(new Option('--status <status>', 'that ended so').choices(STATUSES))
    .option('--error-code <code>', 'with this error code')
    .option('--topic <topic>', 'to this topic, or on what else the operation was done')
    .option('--request-id <id>', 'with this request id')
    .option('--process-instance <key>', 'of this process instance', parseKey)
    .option('--process <id>', 'of processes with this BPMN id')
    .option('--element <id>', 'of the task with this id in the diagram')
    .option('--job <key>', 'of this job', parseKey)
    .option('--actor <name>', 'by this person')
    .option('--since <time>', 'not before: 30m, 1h, 7d ago, or an ISO 8601 time', parseMoment)
    .option('--until <time>', 'before: likewise', parseMoment)
    .option(
      '--text <text>',
      'with this text in request or response; only with --since, as it reads every row',
    )
}

function filterOf(options: FilterOptions): AuditFilter {
  const { processInstance, process, element, job, ...same } = options
  return { ...same, processInstanceKey: processInstance, processId: process, elementId: element, jobKey: job }
}

interface ListOptions extends FilterOptions {
  limit: number
  page?: string
  total?: true
  json?: true
}

async function listCalls({ limit, page, total, json, ...options }: ListOptions): Promise<void> {
  const { auditPage, auditTotal } = await import('../audit/audit-queries.js')
  await withWorkbench(async ({ database }) => {
    const filter = filterOf(options)
    const { entries, next } = await auditPage(database, filter, { limit, after: page })
    if (json) for (const entry of entries) console.log(JSON.stringify(entry))
    else if (entries.length === 0) console.log('No calls match.')
    else console.log(auditTable(entries))
    if (total) {
      const isAll = page === undefined && next === null
      const all = isAll ? { rows: entries.length, isExact: true } : await auditTotal(database, filter)
      console.error(
        all ? `${all.isExact ? '' : 'About '}${all.rows} calls match.` : 'How many match is not known.',
      )
    }
    if (next !== null) console.error(`There are more: --page ${next} shows them.`)
  })
}

async function exportCalls({ format, output, ...options }: ExportOptions): Promise<void> {
  const { exportedAudit } = await import('../audit/audit-export.js')
  await withWorkbench(async ({ database }) => {
    const text = exportedAudit(database, filterOf(options), format)
    if (output === undefined) await pipeline(text, process.stdout, { end: false })
    else await pipeline(text, (await newFile(output)).createWriteStream())
  })
}

/** Not over a file that is there: an export is a record too. */
async function newFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx')
  } catch (cause) {
    throw new RelayError('INPUT_INVALID', `--output: a new file is wanted: ${messageOf(cause)}`, { cause })
  }
}

interface ExportOptions extends FilterOptions {
  format: ExportFormat
  output?: string
}

/** What people want to see of audit rows. */
export function auditTable(entries: readonly AuditEntry[]): string {
  const columns = [
    { title: 'AT' },
    { title: 'STATUS' },
    { title: 'OPERATION' },
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
    entry.operation,
    entry.adapterName ?? '',
    entry.destination ?? '',
    entry.processInstanceKey ?? '',
    entry.durationMs.toFixed(1),
    entry.requestId,
    entry.errorCode === null ? '' : `${entry.errorCode}: ${entry.errorText ?? ''}`,
  ])
  return table(columns, rows)
}
