import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it, type TestContext } from 'node:test'
import { readConfig } from '../../../src/core/config.js'
import { silentLog } from '../../../src/core/log.js'
import type { Engine } from '../../../src/engine/engine.js'
import { startService } from '../../../src/service.js'
import { createTestDatabase } from '../../helpers/database.js'

const docs = (file: string) => readFileSync(new URL(`../../../docs/${file}`, import.meta.url), 'utf8')

describe('the HTTP server of a worker', () => {
  it('says that the worker lives and is ready', async (t) => {
    const { get } = await startedService(t)
    assert.equal((await get('/healthz')).status, 200)
    const { status, body } = await get('/readyz')
    assert.equal(status, 200, body)
    const { checks } = JSON.parse(body)
    assert.deepEqual(
      Object.entries<{ ok: boolean }>(checks).map(([name, { ok }]) => [name, ok]),
      [
        ['worker', true],
        ['database', true],
        ['engine', true],
      ],
    )
  })

  it('says that the worker lives but is not ready while the engine has not answered', async (t) => {
    const { get } = await startedService(t, { lastPollAgeMs: Number.POSITIVE_INFINITY })
    assert.equal((await get('/healthz')).status, 200)
    const { status, body } = await get('/readyz')
    assert.equal(status, 503)
    assert.deepEqual(JSON.parse(body).checks.engine, { ok: false, text: 'no poll was answered yet' })
  })

  it('is off with BPMN_RELAY_HTTP_PORT=off', async (t) => {
    const { service } = await startedService(t, {}, 'off')
    assert.equal(service.httpAddress, undefined)
  })

  it('ends the start with the cure when its port is taken', async (t) => {
    const { service } = await startedService(t)
    const port = new URL(service.httpAddress ?? '').port
    await assert.rejects(startedService(t, {}, port), {
      code: 'CONFIG_INVALID',
      message:
        /BPMN_RELAY_HTTP_PORT is \d+, but another program listens there on 127\.0\.0\.1: .* 0 for any free one, or off/,
    })
  })

  it('tells the metrics that docs/operations.md names, and no others of ours', async (t) => {
    const { get } = await startedService(t)
    const told = [...(await get('/metrics')).body.matchAll(/^# TYPE (bpmn_relay_\w+) /gm)].map(
      ([, name]) => name,
    )
    const documented = [...docs('operations.md').matchAll(/^\| `(bpmn_relay_\w+)` \|/gm)].map(
      ([, name]) => name,
    )
    assert.deepEqual(told.sort(), documented.sort())
  })

  it('tells every metric that the Grafana dashboard asks for', async (t) => {
    const { get } = await startedService(t)
    const { body } = await get('/metrics')
    const known = new Set(
      [...body.matchAll(/^# TYPE (\w+) (\w+)$/gm)].flatMap(([, name = '', type]) =>
        type === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${name}_${part}`) : [name],
      ),
    )
    const dashboard: { panels: { targets?: { expr: string }[] }[] } = JSON.parse(
      docs('grafana-dashboard.json'),
    )
    const asked = dashboard.panels
      .flatMap(({ targets = [] }) => targets)
      .flatMap(({ expr }) => expr.match(/\b(?:bpmn_relay|nodejs|process)_\w+/g) ?? [])
    assert.ok(asked.length > 10)
    assert.deepEqual(
      asked.filter((name) => !known.has(name)),
      [],
    )
  })
})

/** A worker on a database of the test's own, whose engine has no jobs. */
async function startedService(t: TestContext, polled: { lastPollAgeMs?: number } = {}, port = '0') {
  const closers: (() => Promise<void>)[] = []
  t.after(() => Promise.all(closers.map((close) => close())))
  const { url } = await createTestDatabase(t)
  const config = readConfig({ DATABASE_URL: url, BPMN_RELAY_HTTP_PORT: port })
  const service = await startService(config, silentLog, idleEngine(polled.lastPollAgeMs ?? 100))
  closers.push(() => service.stop())
  return {
    service,
    async get(path: string) {
      const response = await fetch(`${service.httpAddress}${path}`)
      return { status: response.status, body: await response.text() }
    },
  }
}

function idleEngine(lastPollAgeMs: number): Engine {
  return {
    name: 'idle',
    work: () => ({ inFlight: 0, lastPollAgeMs: () => lastPollAgeMs, stop: async () => 0 }),
    settle: async () => 'accepted',
    start: async () => ({ processInstanceKey: '1', processVersion: 1 }),
    correlate: async () => null,
    check: async () => undefined,
    close: async () => undefined,
  }
}
