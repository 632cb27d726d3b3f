import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Settled } from '../helpers/gateway-proxy.js'
import * as kafka from '../helpers/kafka.js'
import { createRelay, type Relay } from '../helpers/relay.js'
import { testServers } from '../helpers/servers.js'
import { openValve } from '../helpers/unwell-servers.js'
import { waitFor } from '../helpers/wait-for.js'

const HELD = 150
const LIVE = 50
const RETRIES = 3
/** Held jobs come back at ten a second at most, and the engine may be busy with others. */
const PATIENCE_MS = 90_000

test('While the broker of one adapter hangs and its jobs are held', async (t) => {
  const relay = await createRelay(t)
  const { bootstrapServers } = testServers().kafka
  const topic = await kafka.createTopic(bootstrapServers)
  const valve = await openValve(t, bootstrapServers)
  const limits = { connectionTimeoutMs: 1000, requestTimeoutMs: 2000 }
  const hanging = await relay.adapter({ kind: 'kafka', address: valve.address, settings: limits })
  const living = await relay.adapter({ kind: 'kafka' })
  const crowd = await relay.deploy('kafka', {
    inputs: { adapterId: hanging.id, topic, message: '=string(item)' },
    headers: { retryBackoff: 'PT1S' },
    retries: RETRIES,
    forEach: { items: '=items', order: 'parallel' },
  })
  const single = await relay.deploy('kafka', { inputs: { adapterId: living.id, topic, message: 'm' } })

  valve.shut()
  await relay.startWorker({ BPMN_RELAY_MAX_IN_FLIGHT: '64' })
  const ended = relay.processes.run(crowd, { items: Array.from({ length: HELD }, (_, item) => item) })
  await waitFor('all its jobs to be given back', () => jobs(relay, isGivenBack).size === HELD, PATIENCE_MS)

  await t.test('the jobs of the other adapter complete, and none of them is given back', async () => {
    await Promise.all(Array.from({ length: LIVE }, () => relay.processes.run(single)))
    const givenBack = jobs(relay, isGivenBack)
    const log = await kafka.readTopic(bootstrapServers, topic, LIVE)
    assert.equal(log.length, LIVE)
    assert.deepEqual(
      jobKeys(log).filter((key) => givenBack.has(key)),
      [],
    )
  })

  await t.test('the held ones complete once it answers', async () => {
    valve.open()
    await ended
    const log = await kafka.readTopic(bootstrapServers, topic, HELD + LIVE)
    assert.equal(new Set(jobKeys(log)).size, HELD + LIVE)
  })

  await t.test('being held uses up no retry', () => {
    const failures = new Map<string, number>()
    for (const { jobKey, message, retries } of relay.gateway.settled.filter(isGivenBack)) {
      if (message.startsWith('BROKER_')) failures.set(jobKey, (failures.get(jobKey) ?? 0) + 1)
      assert.equal(retries, RETRIES - (failures.get(jobKey) ?? 0), message)
      assert.ok(retries > 0, `an incident: ${message}`)
    }
  })
})

function jobs({ gateway }: Relay, which: (settled: Settled) => boolean): Set<string> {
  return new Set(gateway.settled.filter(which).map(({ jobKey }) => jobKey))
}

function jobKeys(log: kafka.ReadMessage[]): string[] {
  return log.map(({ headers }) => String(headers?.['x-job-key']))
}

function isGivenBack({ kind, status }: Settled): boolean {
  return kind === 'fail' && status === 0
}
