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
const TIMES = 40
const PAGE_ROWS = 50
/** For the statements that make the rows. */
const PATIENT = { BPMN_RELAY_DATABASE_TIMEOUT_MS: '600000' }

interface Asked {
  filter: AuditFilter
  after?: string
}

/**
 * How long the pages of the audit log take: the newest, by key, and by values that many, few and no rows have, from the
 * newest row on and from any other. Of each filter the p95; what is told of a kind of filter is that of its slowest one,
 * and `audit.query.p95Ms` that of the slowest of all among the most rows.
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
        { figure: 'pastP95Ms', heading: 'of one hour alone' },
        { figure: 'noneP95Ms', heading: 'of none' },
        { figure: 'severalP95Ms', heading: 'by several values' },
        { figure: 'rangeP95Ms', heading: 'within hours or days' },
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
        await generateAuditRows(database, rows, bench.progress)
        const slowest = await measure(database, part, rows, bench)
        if (part === sizes.at(-1)?.[0]) bench.figure(`${ALL}.p95Ms`, slowest)
      }
    } finally {
      await database.close()
    }
  },
}

/** @returns the p95 of the slowest filter, ms */
async function measure(database: Database, part: string, rows: number, bench: Bench): Promise<number> {
  const slowest = new Map<string, number>()
  const all: number[] = []
  for (const { figure, name, asked } of questions(rows)) {
    bench.progress(`${part}: ${name}`)
    const times = await timesOf(asked, ({ filter, after }) =>
      auditPage(database, filter, { limit: PAGE_ROWS, after }),
    )
    all.push(...times)
    const p95 = quantile(times, 0.95)
    if (p95 > (slowest.get(figure) ?? 0)) slowest.set(figure, p95)
  }
  for (const [figure, p95] of slowest) bench.figure(`${part}.${figure}P95Ms`, p95)
  const totals = [0, 1, 2, 3, 4].flatMap((place) =>
    Object.values(filtersWith(place)).map((filter) => ({ filter })),
  )
  const times = await timesOf(totals, ({ filter }) => auditTotal(database, filter))
  bench.figure(`${part}.totalP95Ms`, quantile(times, 0.95))
  for (const [figure, share] of Object.entries({ p50Ms: 0.5, p99Ms: 0.99 })) {
    bench.figure(`${part}.${figure}`, quantile(all, share))
  }
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
  const facets = (['many', 'seldom', 'rare', 'past', 'none'] as const).flatMap((figure, at) =>
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
      asked: fromAnywhere({ adapter: 'adapter-2', status: 'failed', topic: 'topic-4' }),
    },
    {
      figure: 'several',
      name: 'adapter, topic and process',
      asked: fromAnywhere({ adapter: 'adapter-2', topic: 'topic-4', processId: 'process-3' }),
    },
    {
      figure: 'several',
      name: 'a seldom adapter and a common topic',
      asked: fromAnywhere({ adapter: 'adapter-seldom', topic: 'topic-4' }),
    },
    { figure: 'range', name: 'topic within 6 hours', asked: ranges({ topic: 'topic-4' }, DAY_MS / 4) },
    { figure: 'range', name: 'rare topic within 3 days', asked: ranges({ topic: 'topic-rare' }, 3 * DAY_MS) },
    { figure: 'range', name: 'all within 6 hours', asked: ranges({}, DAY_MS / 4) },
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

/** Of such a length, anywhere in the last 30 days. */
function ranges(filter: AuditFilter, lengthMs: number): Asked[] {
  return Array.from({ length: TIMES }, () => {
    const since = Date.now() - lengthMs - Math.random() * (DAYS * DAY_MS - lengthMs)
    return { filter: { ...filter, since: new Date(since), until: new Date(since + lengthMs) } }
  })
}

async function timesOf<T>(asked: readonly T[], ask: (question: T) => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (const question of asked) {
    const startedAt = performance.now()
    await ask(question)
    times.push(performance.now() - startedAt)
  }
  return times
}
