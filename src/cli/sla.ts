import type { Command } from 'commander'
import type { SlaSummary } from '../sla/sla-queries.js'
import { parseMoment } from './arguments.js'
import { withWorkbench } from './context.js'
import { table } from './table.js'

export function addSlaCommands(program: Command): void {
  program
    .command('sla')
    .description('The SLA counters: calls, errors and durations.')
    .command('show')
    .description('Show the counters by adapter, operation and process.')
    .option('--adapter <name>', 'of this adapter, by name or id')
    .option('--since <time>', 'from then on: 30m, 1h, 7d ago, or an ISO 8601 time (default: 1h)', parseMoment)
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Held are jobs given back without a call, because the adapter was out of service. Percentiles come from a histogram:
the true value is at most that high, and at least 71 % of it.

Examples:
  bpmn-relay sla show
  bpmn-relay sla show --adapter orders --since 7d --json`,
    )
    .action(showCounters)
}

async function showCounters(options: { adapter?: string; since?: Date; json?: true }): Promise<void> {
  const { slaSummaries } = await import('../sla/sla-queries.js')
  await withWorkbench(async ({ database }) => {
    const { adapter, since = parseMoment('1h') } = options
    const summaries = await slaSummaries(database, { adapter, since })
    if (options.json) console.log(JSON.stringify(summaries, null, 2))
    else if (summaries.length === 0) console.log(`No calls since ${since.toISOString()}.`)
    else console.log(slaTable(summaries))
  })
}

/** What people want to see of the counters. */
export function slaTable(summaries: readonly SlaSummary[]): string {
  const numbers = ['CALLS', 'ERRORS', 'ERROR RATE', 'HELD', 'AVERAGE', 'P50', 'P95', 'P99', 'MAX MS']
  const columns = [
    { title: 'ADAPTER' },
    { title: 'OPERATION' },
    { title: 'PROCESS' },
    ...numbers.map((title) => ({ title, align: 'right' as const })),
  ]
  const rows = summaries.map((each) => [
    each.adapterName ?? `(no adapter) ${each.adapterId}`,
    each.operation,
    each.processId,
    String(each.calls),
    String(each.errors),
    `${(each.errorRate * 100).toFixed(1)} %`,
    String(each.held),
    ...[each.averageMs, each.p50Ms, each.p95Ms, each.p99Ms, each.maxMs].map((ms) => ms.toFixed(1)),
  ])
  return table(columns, rows)
}
