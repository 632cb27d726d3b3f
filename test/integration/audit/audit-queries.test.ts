import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { exportedAudit } from '../../../src/audit/audit-export.js'
import type { AuditFilter } from '../../../src/audit/audit-filter.js'
import { auditPage, auditPages, auditTotal } from '../../../src/audit/audit-queries.js'
import type { AuditRow } from '../../../src/audit/call-record.js'
import { createRecorder } from '../../../src/audit/recorder.js'
import { silentLog } from '../../../src/core/log.js'
import { type Database, openDatabase } from '../../../src/db/database.js'
import { ensureAuditPartitions } from '../../../src/db/partitions.js'
import { type AuditColumns, insertAuditRows } from '../../helpers/audit-rows.js'
import { recordWith } from '../../helpers/call-record.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { rowsRead } from '../../helpers/rows-read.js'

const DAY_MS = 86_400_000
const ADAPTER_ID = '0190a0b0-0000-7000-8000-00000000000a'

const FILTERS: [AuditFilter, AuditColumns][] = [
  [{ adapter: 'news' }, { adapter_name: 'news' }],
  [{ adapter: ADAPTER_ID.toUpperCase() }, { adapter_id: ADAPTER_ID }],
  [{ kind: 'rocketmq' }, { adapter_kind: 'rocketmq' }],
  [{ source: 'admin' }, { source: 'admin' }],
  [{ operation: 'topic.create' }, { operation: 'topic.create' }],
  [{ status: 'failed' }, { status: 'failed' }],
  [{ errorCode: 'TOPIC_UNKNOWN' }, { error_code: 'TOPIC_UNKNOWN' }],
  [{ topic: 'invoices' }, { destination: 'invoices' }],
  [{ requestId: 'the one' }, { request_id: 'the one' }],
  [{ processInstanceKey: '9223372036854775807' }, { process_instance_key: '9223372036854775807' }],
  [{ processId: 'billing' }, { process_id: 'billing' }],
  [{ elementId: 'send' }, { element_id: 'send' }],
  [{ jobKey: '9223372036854775806' }, { job_key: '9223372036854775806' }],
  [{ actor: 'alice' }, { actor: 'alice' }],
  [{ since: new Date(0), text: '100%_ORDER\\' }, { request: '{"a":"100%_order\\"}' }],
  [{ since: new Date(0), text: 'refused' }, { response: 'It was refused.' }],
  [{ since: new Date(0), text: 'offset":4711' }, { receipt: '{"offset":4711}' }],
]

describe('a page of the audit log', () => {
  it('has the rows with what is asked for, and no others', async (t) => {
    const database = await logOf(t, [{}, ...FILTERS.map(([, columns]) => columns), {}])
    for (const [at, [filter]] of FILTERS.entries()) {
      await t.test(Object.keys(filter).join(' and '), async () => {
        const { entries, next } = await auditPage(database, filter, { limit: 10 })
        assert.deepEqual([entries.map(({ id }) => id), next], [[String(at + 2)], null])
      })
    }
  })

  it('has only rows that pass the whole filter', async (t) => {
    const database = await logOf(t, [
      { status: 'failed', adapter_name: 'news' },
      { status: 'failed', adapter_name: 'news', destination: 'invoices' },
      { adapter_name: 'news', destination: 'invoices' },
    ])
    const filter: AuditFilter = { status: 'failed', adapter: 'news', topic: 'invoices' }
    assert.deepEqual(await idsOf(database, filter), ['2'])
  })

  it('begins at `since` and ends before `until`', async (t) => {
    const noon = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS / 2
    const rows = [-1, 0, 1, 2].map((ms) => ({ at: new Date(noon + ms) }))
    const database = await logOf(t, rows)
    const filter = { since: new Date(noon), until: new Date(noon + 2) }
    assert.deepEqual(await idsOf(database, filter), ['3', '2'])
  })

  it('shows the newest row first, whatever order they were written in', async (t) => {
    const [a, b, c] = [3, 1, 2].map((days) => ({
      at: new Date(Date.now() - days * DAY_MS),
      status: 'failed',
    }))
    const database = await logOf(t, [a ?? {}, b ?? {}, c ?? {}])
    assert.deepEqual(await idsOf(database, { status: 'failed' }), ['2', '3', '1'])
    assert.deepEqual(await idsOf(database, {}), ['2', '3', '1'])
  })
})

describe('pages one after the other', () => {
  it('show each row once and leave none out, also of one moment and over days', async (t) => {
    const at = Date.now() - 2000
    const rows = Array.from({ length: 40 }, (_, n) => ({
      at: new Date(at - Math.floor(n / 5) * DAY_MS),
      status: n % 2 ? 'failed' : 'published',
      process_instance_key: n % 4,
    }))
    const database = await logOf(t, rows)
    const everything = await idsOf(database, {})
    assert.equal(new Set(everything).size, 40)
    for (const filter of [{}, { status: 'failed' }, { processInstanceKey: '3' }] satisfies AuditFilter[]) {
      const paged: string[] = []
      for await (const page of auditPages(database, filter, 3)) paged.push(...page.map(({ id }) => id))
      assert.deepEqual(paged, await idsOf(database, filter))
    }
  })

  it('do not move when rows are added in the meantime', async (t) => {
    const database = await logOf(t, [{}, {}, {}, {}])
    const { next } = await auditPage(database, {}, { limit: 2 })
    await insertAuditRows(database, [{}, {}])
    const { entries } = await auditPage(database, {}, { limit: 2, after: next ?? assert.fail() })
    assert.deepEqual(
      entries.map(({ id }) => id),
      ['2', '1'],
    )
  })

  it('begin at no place but one that a page told', async (t) => {
    const database = await logOf(t, [])
    for (const after of ['', '5', '2026-01-31T08:00:00.000000Z_', '2026-99-31T08:00:00.000000Z_1']) {
      await assert.rejects(auditPage(database, {}, { limit: 1, after }), { code: 'INPUT_INVALID' })
    }
  })
})

describe('a page by a value', () => {
  it('is found by indexes, hardly reading rows that lack it', async (t) => {
    const database = await logOf(t, [])
    await insertMany(database, 30_000)
    for (const [topic, rows] of Object.entries({ seldom: 50, rare: 3, nowhere: 0 })) {
      await t.test(topic, async () => {
        const { watched, mostRead } = watchReads(database)
        const { entries } = await auditPage(watched, { topic }, { limit: 50 })
        assert.equal(entries.length, rows)
        assert.ok(mostRead() < 5000, `one statement read ${mostRead()} rows`)
      })
    }
  })

  it('that came up a while before a quiet time does not read all the rows that have it', async (t) => {
    const database = await logOf(t, [])
    const noon = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS / 2
    const calls = (topic: string, from: number, ms: number, rows: number) =>
      insertCalls(database, { topic: `'${topic}'`, from: new Date(from), ms, rows })
    await calls('news', noon, 100, 20_000)
    await calls('orders', noon + 1, 100, 20_000)
    await calls('orders', noon + DAY_MS / 4, 10_000, 2000)
    await database.query('ANALYZE sys_audit_log')
    const { watched, mostRead } = watchReads(database)
    const { entries } = await auditPage(watched, { topic: 'news' }, { limit: 50 })
    assert.equal(entries.length, 50)
    assert.ok(mostRead() < 12_000, `one statement read ${mostRead()} rows`)
  })

  it('is right although what Postgres knows of the value is not', async (t) => {
    const database = await logOf(t, [])
    const yesterday = Date.now() - DAY_MS
    await insertCalls(database, { topic: `'orders'`, from: new Date(yesterday), ms: 20_000, rows: 4000 })
    await insertCalls(database, {
      topic: `'news'`,
      from: new Date(yesterday - 4 * DAY_MS),
      ms: 90_000,
      rows: 300,
    })
    await database.query('ANALYZE sys_audit_log')
    await insertCalls(database, { topic: `'news'`, from: new Date(yesterday), ms: 1, rows: 700 })
    await database.query(`UPDATE sys_audit_log SET destination = 'news' WHERE id % 13 = 0`)
    const expected = await database.query<{ id: string }>(
      `SELECT id::text FROM sys_audit_log WHERE destination = 'news' ORDER BY at DESC, sys_audit_log.id DESC`,
    )
    const paged: string[] = []
    for await (const page of auditPages(database, { topic: 'news' }, 40))
      paged.push(...page.map(({ id }) => id))
    assert.deepEqual(
      paged,
      expected.map(({ id }) => id),
    )
  })
})

describe('rows that were written together', () => {
  // Two of each three go to `orders`; what is newer than them hides them from the first look at the newest rows.
  async function together(t: TestContext, newer = 1500) {
    const database = await logOf(t, [])
    const recorder = createRecorder({ database, engineName: 'e', worker: 'w', log: silentLog })
    const audits = Array.from(
      { length: 90 },
      (_, n): Partial<AuditRow> => ({
        requestId: `together-${n}`,
        destination: n % 3 === 0 ? 'news' : 'orders',
        status: n % 2 === 0 ? 'failed' : 'published',
      }),
    )
    await Promise.all(audits.map((audit) => recorder.write(recordWith({ audit }))))
    const from = new Date(Date.now() + 1000)
    await insertCalls(database, { topic: `'later'`, from, ms: 1, rows: newer })
    return { database, audits }
  }
  const filters: Partial<AuditRow>[] = [
    { destination: 'news' },
    { destination: 'orders' },
    { destination: 'orders', status: 'failed' },
  ]

  it('have one entry of each kind in the index', async (t) => {
    const { database } = await together(t, 0)
    const [row] = await database.query(
      'SELECT count(DISTINCT at)::int AS moments, count(*) FILTER (WHERE is_indexed)::int AS indexed FROM sys_audit_log',
    )
    assert.deepEqual(row, { moments: 1, indexed: 4 })
  })

  for (const { destination, status } of filters) {
    const filter = { topic: destination ?? undefined, status }
    const passing = (audits: readonly Partial<AuditRow>[]) =>
      audits.filter(
        (audit) => audit.destination === destination && (status === undefined || audit.status === status),
      )

    it(`are all found by ${JSON.stringify(filter)}, page after page`, async (t) => {
      const { database, audits } = await together(t)
      const found: string[] = []
      for await (const page of auditPages(database, filter, 7))
        found.push(...page.map(({ requestId }) => requestId))
      assert.deepEqual(
        found.sort(),
        passing(audits)
          .map(({ requestId }) => requestId ?? '')
          .sort(),
      )
    })

    it(`are all counted by ${JSON.stringify(filter)}`, async (t) => {
      const { database, audits } = await together(t)
      const total = await auditTotal(database, filter)
      assert.deepEqual(total, { rows: passing(audits).length, isExact: true })
    })
  }

  it('are all found by a value and a text', async (t) => {
    const { database, audits } = await together(t)
    const filter = { topic: 'news', text: 'order-events', since: new Date(0) }
    const { entries } = await auditPage(database, filter, { limit: 100 })
    assert.equal(entries.length, audits.filter(({ destination }) => destination === 'news').length)
  })
})

describe('a search for text', () => {
  it('needs a time to begin at', async (t) => {
    const database = await logOf(t, [])
    await assert.rejects(auditPage(database, { text: 'x' }, { limit: 1 }), {
      code: 'INPUT_INVALID',
      message: /say from when on/,
    })
  })

  it('that takes too long says what to ask instead, and spoils no connection', async (t) => {
    const database = await logOf(t, [{ request: 'x' }])
    const impatient = await openDatabase({ url: database.url, poolSize: 1, timeoutMs: 300 }, silentLog)
    const slow = database.orm.dataSource.createQueryRunner()
    try {
      await slow.startTransaction()
      await slow.query('LOCK TABLE sys_audit_log IN ACCESS EXCLUSIVE MODE')
      const search = () => auditPage(impatient, { text: 'x', since: new Date(0) }, { limit: 1 })
      await assert.rejects(search(), {
        code: 'INPUT_INVALID',
        message: /longer than BPMN_RELAY_DATABASE_TIMEOUT_MS: give a shorter time range or a further filter/,
      })
      await slow.rollbackTransaction()
      assert.equal((await search()).entries.length, 1)
    } finally {
      await slow.release()
      await impatient.close()
    }
  })
})

describe('the total', () => {
  it('of few rows is counted', async (t) => {
    const rows = Array.from({ length: 12 }, (_, n) => ({
      status: n % 3 ? 'published' : 'failed',
      job_key: n % 2,
    }))
    const database = await logOf(t, rows)
    assert.deepEqual(await auditTotal(database, { jobKey: '1' }), { rows: 6, isExact: true })
    assert.deepEqual(await auditTotal(database, { status: 'failed' }), { rows: 4, isExact: true })
  })

  it('of many rows is about right, without counting', async (t) => {
    const database = await logOf(t, [])
    await insertMany(database, 20_000)
    const { rows, isExact } = (await auditTotal(database, { status: 'published' })) ?? assert.fail()
    assert.equal(isExact, false)
    assert.ok(rows > 15_000 && rows < 25_000, `${rows} instead of 20,000`)
  })

  it('is not known of a text', async (t) => {
    assert.equal(await auditTotal(await logOf(t, []), { text: 'x', since: new Date(0) }), undefined)
  })
})

describe('an export', () => {
  it('as CSV quotes what needs it and lets no text become a formula', async (t) => {
    const database = await logOf(t, [{ error_text: '=1+1, "so"', destination: '@x', response: 'two\nlines' }])
    const text = await textOf(exportedAudit(database, {}, 'csv'))
    assert.ok(text.includes(`,"'=1+1, ""so""",`))
    assert.ok(text.includes(`,'@x,`))
    assert.ok(text.endsWith(`,"two\nlines"\r\n`))
  })

  it('as NDJSON has all digits and an object a line', async (t) => {
    const database = await logOf(t, [{ job_key: '9223372036854775807' }, {}])
    const lines = (await textOf(exportedAudit(database, {}, 'ndjson'))).trim().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line).jobKey),
      [null, '9223372036854775807'],
    )
  })
})

/** An audit log with these rows, numbered from 1; those without a time are of now, in their order. */
async function logOf(t: TestContext, rows: readonly AuditColumns[]): Promise<Database> {
  const database = await migratedDatabase(t)
  await ensureAuditPartitions(database, new Date(Date.now() - 10 * DAY_MS))
  await insertAuditRows(database, rows)
  return database
}

/** Rows 5 s apart from two days ago on, one in 300 of them to the topic `seldom` and one in 10,000 to `rare`. */
async function insertMany(database: Database, rows: number): Promise<void> {
  await insertCalls(database, {
    topic: `CASE WHEN n % 10000 = 9 THEN 'rare' WHEN n % 300 = 7 THEN 'seldom' ELSE 'topic-' || n % 50 END`,
    from: new Date(Date.now() - 2 * DAY_MS),
    ms: 5000,
    rows,
  })
  await database.query('ANALYZE sys_audit_log')
}

/** So many rows from a moment on, each so many milliseconds after the one before; `topic` is SQL over `n`, their number. */
async function insertCalls(
  database: Database,
  { topic, from, ms, rows }: { topic: string; from: Date; ms: number; rows: number },
): Promise<void> {
  await database.query(
    `INSERT INTO sys_audit_log (at, request_id, source, operation, status, duration_ms, destination)
     SELECT $1::timestamptz + n * $2::int * interval '1 ms', 'r' || n, 'job', 'publish', 'published', 1, ${topic}
     FROM generate_series(1, $3::int) n`,
    [from, ms, rows],
  )
}

/** A database that tells how many rows the statement read that read the most of the audit log. */
function watchReads(database: Database): { watched: Pick<Database, 'query'>; mostRead: () => number } {
  let most = 0
  const watched: Pick<Database, 'query'> = {
    async query(text, values, name) {
      if (/^SELECT .* FROM sys_audit_log/s.test(text)) {
        most = Math.max(most, await rowsRead(database, text, values))
      }
      return await database.query(text, values, name)
    },
  }
  return { watched, mostRead: () => most }
}

async function idsOf(database: Database, filter: AuditFilter): Promise<string[]> {
  const { entries } = await auditPage(database, filter, { limit: 1000 })
  return entries.map(({ id }) => id)
}

async function textOf(parts: AsyncIterable<string>): Promise<string> {
  let text = ''
  for await (const part of parts) text += part
  return text
}
