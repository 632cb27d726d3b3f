import { readConfig } from '../src/core/config.js'
import { silentLog } from '../src/core/log.js'
import type { Database } from '../src/db/database.js'
import { openWorkbench } from '../src/service.js'
import { BUCKETS } from '../src/sla/histogram.js'
import { rollUp } from '../src/sla/rollup.js'
import type { SlaFilter } from '../src/sla/sla-queries.js'
import { slaSeries } from '../src/sla/sla-series.js'
import { type Benchmark, quantile } from './benchmark.js'

const PART = 'sla.series'
const DAYS = 30
const HOURS = 24 * DAYS
const DAY_MS = 86_400_000
const ADAPTERS = 20
const PROCESSES = 120
const TIMES = 30
const STEPS = ['1d', '6h', '1h'] as const
/** For the statements that make the counters and sum them up. */
const PATIENT = { BPMN_RELAY_DATABASE_TIMEOUT_MS: '600000' }

const FILTERS: [name: string, filter: Omit<SlaFilter, 'since'>][] = [
  ['all', {}],
  ['adapter', { adapter: '00000000-0000-4000-8000-000000000007' }],
  ['process', { processId: 'process-7' }],
]

/**
 * How long a chart of 30 days takes, of 120 processes that publish through 20 adapters every hour: of all of them, of one
 * adapter, and of one process. `sla.series.p95Ms` is the p95 of the slowest.
 */
export const slaSeriesChart: Benchmark = {
  parts: [PART],
  tables: [
    {
      title: 'SLA series over 30 days (p95, ms)',
      rows: STEPS.map((step) => ({ part: `${PART}.${step}`, label: `by steps of ${step}` })),
      columns: FILTERS.map(([name]) => ({ figure: `${name}P95Ms`, heading: `of ${name}` })),
    },
  ],
  async run(_parts, bench) {
    const config = readConfig({ DATABASE_URL: bench.databaseUrl, ...PATIENT })
    const { database } = await openWorkbench(config, silentLog)
    try {
      bench.progress('counters of 30 days')
      await generateCounters(database)
      await rollUp(database)
      await database.query('ANALYZE')
      const since = new Date(Date.now() - DAYS * DAY_MS)
      let slowest = 0
      for (const step of STEPS) {
        for (const [name, filter] of FILTERS) {
          bench.progress(`${PART} of ${name} by ${step}`)
          const times: number[] = []
          for (let time = 0; time < TIMES; time += 1) {
            const startedAt = performance.now()
            await slaSeries(database, config, { since, ...filter }, step)
            times.push(performance.now() - startedAt)
          }
          const p95 = quantile(times, 0.95)
          bench.figure(`${PART}.${step}.${name}P95Ms`, p95)
          slowest = Math.max(slowest, p95)
        }
      }
      bench.figure(`${PART}.p95Ms`, slowest)
    } finally {
      await database.close()
    }
  },
}

async function generateCounters(database: Database): Promise<void> {
  await database.query(
    `INSERT INTO sla_counter
     SELECT date_trunc('hour', now()) - hour * interval '1 hour',
       ('00000000-0000-4000-8000-0000000000' || lpad((process % ${ADAPTERS})::text, 2, '0'))::uuid, 'publish',
       'process-' || process, 'worker', 1000, 10, 0, 8000, 90, array_fill((hour % 7)::bigint, ARRAY[${BUCKETS}])
     FROM generate_series(1, ${HOURS}) AS hour, generate_series(1, ${PROCESSES}) AS process`,
  )
}
