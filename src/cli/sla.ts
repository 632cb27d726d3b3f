import { type Command, Option } from 'commander'
import { RelayError } from '../core/errors.js'
import type { Measures } from '../sla/measures.js'
import type { SlaSummary } from '../sla/sla-queries.js'
import type { SlaSeries } from '../sla/sla-series.js'
import { STEPS, type Step } from '../sla/steps.js'
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
    .option('--operation <name>', 'of this operation, such as publish')
    .option('--process <id>', 'of the processes with this id')
    .option('--since <time>', 'from then on: 30m, 1h, 7d ago, or an ISO 8601 time (default: 1h)', parseMoment)
    .option('--until <time>', 'until then, likewise (default: now)', parseMoment)
    .option('--series', 'as they went on over time, a line for each step')
    .addOption(
      new Option('--step <length>', 'of the series; default: at most 100 steps in all')
        .choices(STEPS)
        .implies({ series: true }),
    )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Held are jobs given back without a call, because the adapter was out of service. Percentiles come from a histogram:
the true value is at most that high, and at least 71 % of it. Times are UTC. Counters are kept by minute, hour and day
(BPMN_RELAY_SLA_MINUTE_RETENTION_DAYS and the like); a time older than its minutes counts from its full hour or day.

Examples:
  bpmn-relay sla show
  bpmn-relay sla show --adapter orders --since 7d --json
  bpmn-relay sla show --since 30d --until 1d --series --step 1d
  bpmn-relay sla show --process order-published --since 6h --series`,
    )
    .action(showCounters)
}

interface ShowOptions {
  adapter?: string
  operation?: string
  process?: string
  since?: Date
  until?: Date
  series?: true
  step?: Step
  json?: true
}

async function showCounters(options: ShowOptions): Promise<void> {
  const { adapter, operation, process: processId, since = parseMoment('1h'), until, step } = options
  if (until && until <= since) {
    throw new RelayError(
      'INPUT_INVALID',
      '--until is not after --since: give a later time, or an earlier --since',
    )
  }
  const filter = { adapter, operation, processId, since, until }
  await withWorkbench(async ({ database }, { config }) => {
    if (options.series) {
      const { slaSeries } = await import('../sla/sla-series.js')
      const series = await slaSeries(database, config, filter, step)
      console.log(options.json ? JSON.stringify(series, null, 2) : seriesTable(series))
      return
    }
    const { slaSummaries } = await import('../sla/sla-queries.js')
    const summaries = await slaSummaries(database, config, filter)
    if (options.json) console.log(JSON.stringify(summaries, null, 2))
    else if (summaries.length === 0) console.log(`No calls since ${since.toISOString()}.`)
    else console.log(slaTable(summaries))
  })
}

const NUMBERS = ['CALLS', 'ERRORS', 'ERROR RATE', 'HELD', 'AVERAGE', 'P50', 'P95', 'P99', 'MAX MS'].map(
  (title) => ({
    title,
    align: 'right' as const,
  }),
)

function numbersOf(measures: Measures): string[] {
  const { calls, errors, errorRate, held, averageMs, p50Ms, p95Ms, p99Ms, maxMs } = measures
  return [
    String(calls),
    String(errors),
    `${(errorRate * 100).toFixed(1)} %`,
    String(held),
    ...[averageMs, p50Ms, p95Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1)),
  ]
}

function seriesTable({ points }: SlaSeries): string {
  return table(
    [{ title: 'FROM' }, ...NUMBERS],
    points.map((point) => [`${point.at.slice(0, 16)}Z`, ...numbersOf(point)]),
  )
}

/** What people want to see of the counters. */
export function slaTable(summaries: readonly SlaSummary[]): string {
  const columns = [{ title: 'ADAPTER' }, { title: 'OPERATION' }, { title: 'PROCESS' }, ...NUMBERS]
  const rows = summaries.map((each) => [
    each.adapterName ?? `(no adapter) ${each.adapterId}`,
    each.operation,
    each.processId,
    ...numbersOf(each),
  ])
  return table(columns, rows)
}
