import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it } from 'node:test'
import type { Database } from '../../../src/db/database.js'
import { ALL_ADAPTERS } from '../../../src/sla/counters.js'
import { bucketOf, emptyHistogram } from '../../../src/sla/histogram.js'
import { forgetOldSums, rollUp } from '../../../src/sla/rollup.js'
import { slaSummaries } from '../../../src/sla/sla-queries.js'
import { slaSeries } from '../../../src/sla/sla-series.js'
import { type Counted, countCalls } from '../../helpers/counted-calls.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { rowsRead } from '../../helpers/rows-read.js'
import { waitFor } from '../../helpers/wait-for.js'

const KEPT = { slaMinuteRetentionDays: 3, slaHourRetentionDays: 92, slaDayRetentionDays: 1100 }
const ADAPTER = randomUUID()
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS
const TIERS = ['sla_counter', 'sla_minute', 'sla_hour', 'sla_day']
const TOTALS = ['minute', 'hour', 'day'].map(
  (tier) => `sla_${tier}_total WHERE adapter_id = '${ALL_ADAPTERS}'`,
)

const ago = (ms: number) => new Date(Date.now() - ms)

describe('the roll-up of the SLA counters', () => {
  it('moves past minutes into sums of minutes, hours and days over all workers', async (t) => {
    const database = await migratedDatabase(t)
    await count(database, ago(HOUR_MS), { worker: 'a', calls: 2 })
    await count(database, ago(HOUR_MS), { worker: 'b', calls: 3 })
    assert.equal(await rollUp(database), 2)
    assert.deepEqual(await callsIn(database), [0, 5, 5, 5])
  })

  it('leaves the newest minutes to their writers', async (t) => {
    const database = await migratedDatabase(t)
    await count(database, new Date(), { calls: 4 })
    assert.equal(await rollUp(database), 0)
    assert.deepEqual(await callsIn(database), [4, 0, 0, 0])
  })

  it('adds what comes late to the sums there are: calls, holds, durations and histogram', async (t) => {
    const database = await migratedDatabase(t)
    const at = ago(HOUR_MS)
    await count(database, at, { calls: 2, errors: 1, held: 1, durationMs: 10 })
    await rollUp(database)
    await count(database, at, { calls: 3, errors: 2, held: 4, durationMs: 80 })
    await rollUp(database)
    const [hour, ...rest] = await database.query<Record<string, unknown>>(
      `SELECT calls::int, errors::int, held::int, duration_sum_ms AS sum, duration_max_ms AS max, histogram FROM sla_hour`,
    )
    assert.deepEqual(rest, [])
    const { histogram, ...sums } = hour ?? assert.fail()
    assert.deepEqual(sums, { calls: 5, errors: 3, held: 5, sum: 260, max: 80 })
    const expected = emptyHistogram()
    expected[bucketOf(10)] = 2
    expected[bucketOf(80)] = 3
    assert.deepEqual(histogram, expected.map(String))
  })

  it('counts each call once, though several workers roll up at the same moment and more comes in', async (t) => {
    const database = await migratedDatabase(t)
    const workers = [database, await database.another(), await database.another()]
    const writers = Array.from({ length: 300 }, (_, i) =>
      count(database, ago(HOUR_MS + (i % 50) * MINUTE_MS), { worker: `w${i}`, calls: 1 }),
    )
    await Promise.all([...writers, ...workers.flatMap((worker) => [rollUp(worker), rollUp(worker)])])
    await rollUp(database)
    assert.deepEqual(await callsIn(database), [0, 300, 300, 300])
  })

  it('counts each call once, though its worker is killed in the middle', async (t) => {
    const database = await migratedDatabase(t)
    const at = ago(HOUR_MS)
    await count(database, at, { calls: 1 })
    await rollUp(database)
    await count(database, at, { calls: 5 })

    // With the day's row held, the roll-up stops in the middle of its statement.
    const blocker = (await database.another()).orm.dataSource.createQueryRunner()
    await blocker.startTransaction()
    await blocker.query('SELECT FROM sla_day FOR UPDATE')
    const killed = assert.rejects(rollUp(await database.another()))
    await waitFor('the roll-up to wait for the row', async () => {
      const [row] = await database.query<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%chosen AS MATERIALIZED%'`,
      )
      return row && (await database.query('SELECT pg_terminate_backend($1)', [row.pid])).length > 0
    })
    await killed
    await blocker.rollbackTransaction()
    await blocker.release()

    assert.deepEqual(await callsIn(database), [5, 1, 1, 1])
    await rollUp(database)
    assert.deepEqual(await callsIn(database), [0, 6, 6, 6])
  })

  it('passes over rows that a writer holds, and takes them the next time', async (t) => {
    const database = await migratedDatabase(t)
    await count(database, ago(HOUR_MS), { calls: 1 })
    const writer = (await database.another()).orm.dataSource.createQueryRunner()
    await writer.startTransaction()
    await writer.query('UPDATE sla_counter SET calls = calls + 1')
    assert.equal(await rollUp(database), 0)
    await writer.commitTransaction()
    await writer.release()
    assert.equal(await rollUp(database), 1)
    assert.deepEqual(await callsIn(database), [0, 2, 2, 2])
  })

  it('forgets each resolution after its own time', async (t) => {
    const database = await migratedDatabase(t)
    for (const days of [2, 5, 100, 1200]) await count(database, ago(days * DAY_MS), { calls: 1 })
    await rollUp(database)
    await forgetOldSums(database, KEPT)
    assert.deepEqual(await callsIn(database), [0, 1, 2, 3])
    assert.deepEqual(await callsIn(database, TOTALS), [1, 2, 3])
  })
})

describe('what is read of rolled-up counters', () => {
  it('is the same before and after the roll-up', async (t) => {
    const database = await migratedDatabase(t)
    for (const ms of [0, 20 * MINUTE_MS, 5 * HOUR_MS, 30 * HOUR_MS, 60 * HOUR_MS]) {
      await count(database, ago(ms), { calls: 3, errors: 1, durationMs: 5 + ms / HOUR_MS })
    }
    const filter = { adapter: ADAPTER, since: ago(62 * HOUR_MS) }
    const before = await slaSummaries(database, KEPT, filter)
    assert.equal(before[0]?.calls, 15)
    await rollUp(database)
    assert.deepEqual(await slaSummaries(database, KEPT, filter), before)
  })

  it('reaches to the minute at both ends of a range', async (t) => {
    const database = await migratedDatabase(t)
    const [since, until] = [ago(50 * HOUR_MS), ago(2 * HOUR_MS)]
    const minute = (date: Date, minutes: number) => new Date(date.getTime() + minutes * MINUTE_MS)
    for (const at of [minute(since, -1), minute(until, 1)]) await count(database, at, { calls: 100 })
    for (const at of [since, minute(since, 24 * 60), minute(until, -1)])
      await count(database, at, { calls: 1 })
    await rollUp(database)
    const [summary] = await slaSummaries(database, KEPT, { since, until })
    assert.equal(summary?.calls, 3)
  })

  it('counts from the full hour where minutes are no longer kept', async (t) => {
    const database = await migratedDatabase(t)
    const hour = new Date(Math.floor(ago(10 * DAY_MS).getTime() / HOUR_MS) * HOUR_MS)
    await count(database, hour, { calls: 7 })
    await rollUp(database)
    await forgetOldSums(database, KEPT)
    const [summary] = await slaSummaries(database, KEPT, { since: new Date(hour.getTime() + 30 * MINUTE_MS) })
    assert.equal(summary?.calls, 7)
  })

  it('is filtered by operation and process', async (t) => {
    const database = await migratedDatabase(t)
    await count(database, ago(HOUR_MS), { calls: 1, processId: 'a' })
    await count(database, ago(HOUR_MS), { calls: 2, processId: 'b', operation: 'consume' })
    await rollUp(database)
    const since = ago(2 * HOUR_MS)
    const calls = async (filter: { operation?: string; processId?: string }) =>
      (await slaSummaries(database, KEPT, { since, ...filter })).map((row) => row.calls)
    assert.deepEqual(await calls({ processId: 'a' }), [1])
    assert.deepEqual(await calls({ operation: 'consume' }), [2])
  })
})

describe('a series of SLA counters', () => {
  it('has a point for each step, those without calls too', async (t) => {
    const database = await migratedDatabase(t)
    await count(database, ago(3 * HOUR_MS), { calls: 4, errors: 1 })
    await rollUp(database)
    const { step, points } = await slaSeries(database, KEPT, { since: ago(5 * HOUR_MS) }, '1h')
    assert.equal(step, '1h')
    assert.deepEqual(
      points.map(({ calls }) => calls),
      [0, 0, 4, 0, 0, 0],
    )
    assert.equal(points[2]?.errorRate, 0.25)
  })

  it('holds what is not rolled up yet', async (t) => {
    const database = await migratedDatabase(t)
    await count(database, new Date(), { calls: 2 })
    const { points } = await slaSeries(database, KEPT, { since: ago(30 * DAY_MS) }, '1d')
    assert.equal(points.at(-1)?.calls, 2)
  })

  it('is the same before and after the roll-up, whatever it is asked of', async (t) => {
    const database = await migratedDatabase(t)
    const other = randomUUID()
    const at = ago(3 * HOUR_MS)
    await count(database, at, { calls: 1, durationMs: 3 })
    await count(database, at, { calls: 2, processId: 'b', durationMs: 40 })
    await count(database, at, { calls: 4, adapter: other, operation: 'consume', durationMs: 500 })
    const filters = [
      {},
      { adapter: ADAPTER },
      { adapter: other },
      { operation: 'publish' },
      { processId: 'order' },
      { adapter: ADAPTER, operation: 'publish', processId: 'b' },
    ]
    const since = ago(5 * HOUR_MS)
    const all = async () =>
      await Promise.all(filters.map((filter) => slaSeries(database, KEPT, { since, ...filter }, '1h')))
    const before = await all()
    assert.deepEqual(
      before.map(({ points }) => points[2]?.calls),
      [7, 3, 4, 3, 5, 2],
    )
    await rollUp(database)
    assert.deepEqual(await all(), before)
  })

  it('reads one row an hour, however many adapters and processes there are', async (t) => {
    const database = await migratedDatabase(t)
    for (let n = 0; n < 60; n += 1) {
      await count(database, ago((1 + (n % 2)) * HOUR_MS), { processId: `p${n}`, calls: 1 })
    }
    await rollUp(database)
    await database.query('VACUUM sla_counter')
    let read = 0
    const watched: Pick<Database, 'query'> = {
      async query(text, values) {
        read += await rowsRead(database, text, values)
        return await database.query(text, values)
      },
    }
    const { points } = await slaSeries(watched, KEPT, { since: ago(5 * HOUR_MS) }, '1h')
    assert.equal(
      points.reduce((sum, { calls }) => sum + calls, 0),
      60,
    )
    assert.ok(read <= 6, `${read} rows`)
  })

  it('has a step of its own choice that makes a chart', async (t) => {
    const database = await migratedDatabase(t)
    const stepOf = async (days: number) =>
      (await slaSeries(database, KEPT, { since: ago(days * DAY_MS) })).step
    assert.deepEqual(
      [await stepOf(1 / 24), await stepOf(1), await stepOf(2), await stepOf(7), await stepOf(30)],
      ['1m', '15m', '1h', '6h', '1d'],
    )
  })

  it('is refused with a finer step than is kept of that time', async (t) => {
    const database = await migratedDatabase(t)
    await assert.rejects(slaSeries(database, KEPT, { since: ago(10 * DAY_MS) }, '1m'), {
      code: 'INPUT_INVALID',
      message: /only hours are kept; choose 1h/,
    })
  })

  it('is refused with more points than a chart can use', async (t) => {
    const database = await migratedDatabase(t)
    const longAgo = { ...KEPT, slaMinuteRetentionDays: 30 }
    await assert.rejects(slaSeries(database, longAgo, { since: ago(20 * DAY_MS) }, '1m'), {
      code: 'INPUT_INVALID',
      message: /would make 288\d\d points: choose 6h/,
    })
  })
})

/** Counters as a worker leaves them in the minute that holds `at`. */
const count = (database: Pick<Database, 'query'>, at: Date, given: Partial<Counted>) =>
  countCalls(database, at, { adapter: ADAPTER, ...given })

/** Calls in each of some tables; without names: in sla_counter and in the sums of minutes, hours and days. */
async function callsIn(database: Pick<Database, 'query'>, tables = TIERS): Promise<number[]> {
  const sums = tables.map((table) => `(SELECT coalesce(sum(calls), 0)::int FROM ${table})`)
  const [row] = await database.query<{ sums: number[] }>(`SELECT ARRAY[${sums.join(', ')}] AS sums`)
  return row?.sums ?? []
}
