import type { AuditFilter } from '../../src/audit/audit-filter.js'
import { auditPage, auditTotal } from '../../src/audit/audit-queries.js'
import { readConfig } from '../../src/core/config.js'
import { silentLog } from '../../src/core/log.js'
import type { Database } from '../../src/db/database.js'
import { openWorkbench } from '../../src/service.js'
import { type Bench, type Benchmark, quantile } from '../benchmark.js'
import { DAY_MS, DAYS, generateAuditRows, keysOf, VALUES } from './generate.js'

const ALL = 'audit.query'
const SIZES = new Map([
  [`${ALL}.1e5`, 100_000],
  [`${ALL}.1e6`, 1_000_000],
  [`${ALL}.1e7`, 10_000_000],
])
const TIMES = 30
const PAGE_ROWS = 50
/** For the statements that make the rows. */
const PATIENT = { BPMN_RELAY_DATABASE_TIMEOUT_MS: '600000' }

interface Asked {
  filter: AuditFilter
  after?: string
}

/**
 * How long the pages of the audit log take: the newest, by key, and by values that many, few and no rows have, from the
 * newest row on and from any other. `audit.query.p95Ms` is that of the slowest filter among the most rows.
 */
export const auditQueries: Benchmark = {
  parts: [ALL, ...SIZES.keys()],
  tables: [
    {
      title: 'Pages of 50 rows from an audit log of 30 days (p95, ms)',
      rows: [...SIZES].map(([part, rows]) => ({ part, label: `${rows.toLocaleString('en')} rows` })),
      columns: [
        { figure: 'newestP95Ms', heading: 'the newest' },
        { figure: 'keyP95Ms', heading: 'by a key' },
        { figure: 'manyP95Ms', heading: 'by a value of many rows' },
        { figure: 'seldomP95Ms', heading: 'of 1 in 200' },
        { figure: 'rareP95Ms', heading: 'of 1 in 10,000' },
        { figure: 'noneP95Ms', heading: 'of none' },
        { figure: 'severalP95Ms', heading: 'by three values' },
        { figure: 'totalP95Ms', heading: 'estimated total' },
      ],
    },
  ],
  async run(parts, bench) {
    const config = readConfig({ DATABASE_URL: bench.databaseUrl, ...PATIENT })
    const { database } = await openWorkbench(config, silentLog)
    try {
      const sizes = [...SIZES].filter(([part]) => parts.includes(part) || parts.includes(ALL))
      for (const [part, rows] of sizes) {
        await database.query('TRUNCATE sys_audit_log')
        await generateAuditRows(database, rows, bench.progress)
        const slowest = await measure(database, part, rows, bench)
        if (part === sizes.at(-1)?.[0]) bench.figure(`${ALL}.p95Ms`, slowest)
      }
    } finally {
      await database.close()
    }
  },
}

/** @returns the p95 of the slowest kind of filter, ms */
async function measure(database: Database, part: string, rows: number, bench: Bench): Promise<number> {
  const slowest = new Map<string, number>()
  for (const { figure, name, asked } of questions(rows)) {
    bench.progress(`${part}: ${name}`)
    const p95 = await p95Of(asked, ({ filter, after }) =>
      auditPage(database, filter, { limit: PAGE_ROWS, after }),
    )
    if (p95 > (slowest.get(figure) ?? 0)) slowest.set(figure, p95)
    if (process.env.BPMN_RELAY_BENCH_DETAILS) console.error(`${part} ${name} ${p95.toFixed(1)}`)
  }
  for (const [figure, p95] of slowest) bench.figure(`${part}.${figure}P95Ms`, p95)
  const totals = Object.values(filtersWith(0)).map((filter) => ({ filter }))
  bench.figure(`${part}.totalP95Ms`, await p95Of(totals, ({ filter }) => auditTotal(database, filter)))
  return Math.max(...slowest.values())
}

/** Several questions of one kind, to be asked in turn. */
function questions(rows: number): { figure: string; name: string; asked: Asked[] }[] {
  const anyKeys = () => keysOf(1 + Math.floor(Math.random() * rows))
  const keys = Object.keys(keysOf(1)).map((name) => ({
    figure: 'key',
    name,
    asked: Array.from({ length: TIMES }, () => {
      const found = Object.entries(anyKeys()).filter(([key]) => key === name)
      return { filter: Object.fromEntries(found) }
    }),
  }))
  const facets = (['many', 'seldom', 'rare', 'none'] as const).flatMap((figure, at) =>
    Object.entries(filtersWith(at)).map(([name, filter]) => ({
      figure,
      name: `${name} of ${figure}`,
      asked: fromAnywhere(filter),
    })),
  )
  return [
    { figure: 'newest', name: 'newest', asked: Array.from({ length: TIMES }, () => ({ filter: {} })) },
    ...keys,
    ...facets,
    {
      figure: 'several',
      name: 'adapter, status and topic',
      asked: fromAnywhere({ adapter: 'adapter-7', status: 'failed', topic: 'topic-77' }),
    },
    {
      figure: 'several',
      name: 'adapter, topic and process that meet',
      asked: fromAnywhere({ adapter: 'adapter-7', topic: 'topic-7', processId: 'process-7' }),
    },
  ]
}

/** For each filter of values the one of this place; the place after the last is a value of no row. */
function filtersWith(place: number): Record<string, AuditFilter> {
  return Object.fromEntries(
    Object.entries(VALUES).map(([name, values]) => [name, { [name]: values[place] ?? 'nowhere' }]),
  )
}

/** From the newest row on, and from any moment of the last 30 days on. */
function fromAnywhere(filter: AuditFilter): Asked[] {
  return Array.from({ length: TIMES }, (_, at) => {
    if (at % 2 === 0) return { filter }
    const moment = new Date(Date.now() - Math.random() * DAYS * DAY_MS).toISOString()
    return { filter, after: `${moment.replace('Z', '000Z')}_1` }
  })
}

async function p95Of<T>(asked: readonly T[], ask: (question: T) => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (const question of asked) {
    const startedAt = performance.now()
    await ask(question)
    times.push(performance.now() - startedAt)
  }
  return quantile(times, 0.95)
}
