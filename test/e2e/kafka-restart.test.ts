import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageOf } from '../../src/core/errors.js'
import * as kafka from '../helpers/kafka.js'
import { ownKafka, QUICK_LIMITS } from '../helpers/own-kafka.js'
import { createRelay, type Relay } from '../helpers/relay.js'
import { completedJobs, failedJobs, heldJobs, incidents, storyOfUnfinished } from '../helpers/settled-jobs.js'
import { waitFor } from '../helpers/wait-for.js'

const KEYS = 50
const JOBS_PER_KEY = 60
/** Besides those in series: instances whose jobs are all ready from the start. */
const CROWDS = 20
const JOBS_PER_CROWD = 100
const JOBS = KEYS * JOBS_PER_KEY + CROWDS * JOBS_PER_CROWD
const COMPLETED_BEFORE_KILL = 1500
const MAX_IN_FLIGHT = 128
/** An engine that is busy with others needs its time, and a job whose answer got lost comes again after a minute. */
const PATIENCE_MS = 180_000

test('Kafka killed and started again', async (t) => {
  const relay = await createRelay(t)
  const broker = await ownKafka()
  t.after(() => broker.stop())
  const own = await relay.adapter({ kind: 'kafka', address: broker.address, settings: QUICK_LIMITS })
  await relay.startWorker({ BPMN_RELAY_MAX_IN_FLIGHT: String(MAX_IN_FLIGHT) })

  await t.test(`in the middle of ${JOBS} jobs`, async (t) => {
    const topic = await kafka.createTopic(broker.address, { partitions: 3 })
    await startJobs(relay, own.id, topic)
    await waitFor(
      'a part of the jobs to complete',
      () => completedJobs(relay).size >= COMPLETED_BEFORE_KILL,
      PATIENCE_MS,
    )
    await broker.kill()
    const completedAtKill = completedJobs(relay)
    await broker.restart()

    await t.test('all complete, none with an incident', async () => {
      await waitFor('all jobs to complete', () => completedJobs(relay).size === JOBS, PATIENCE_MS).catch(
        async (error) => assert.fail(`${messageOf(error)}\n${await storyOfUnfinished(relay)}`),
      )
      assert.deepEqual(incidents(relay), [])
    })

    const log = await kafka.readTopic(broker.address, topic, JOBS)
    const jobKeys = log.map(({ headers }) => String(headers?.['x-job-key']))
    const written = new Set(jobKeys)
    const repeated = [...new Set(jobKeys.filter((key, index) => jobKeys.indexOf(key) !== index))]
    t.diagnostic(
      `${log.length - JOBS} duplicates; ${failedJobs(relay).size} jobs failed for want of an acknowledgement, ${heldJobs(relay).size} were held`,
    )

    await t.test('none is lost', () => assert.deepEqual(written, completedJobs(relay)))

    await t.test('none comes twice but those that were unacknowledged at the kill', () => {
      assert.deepEqual(
        repeated.filter((key) => completedAtKill.has(key)),
        [],
      )
      assert.ok(log.length - JOBS <= MAX_IN_FLIGHT)
    })

    await t.test('jobs that follow each other in a process keep the order of their key', () => {
      for (let number = 0; number < KEYS; number += 1) {
        const values = log
          .filter(({ key }) => String(key) === `key-${number}`)
          .map(({ value }) => Number(value))
        assert.deepEqual(
          [...new Set(values)],
          Array.from({ length: JOBS_PER_KEY }, (_, n) => n),
        )
        assert.deepEqual(
          values,
          values.toSorted((a, b) => a - b),
        )
      }
    })
  })
})

/** Starts all processes. */
async function startJobs(relay: Relay, adapterId: string, topic: string): Promise<void> {
  const deploy = (order: 'sequential' | 'parallel') =>
    relay.deploy('kafka', {
      inputs: { adapterId, topic, key: '=key', message: '=string(item)' },
      headers: { retryBackoff: 'PT1S' },
      forEach: { items: '=items', order },
    })
  const [series, crowd] = await Promise.all([deploy('sequential'), deploy('parallel')])
  const items = (count: number) => Array.from({ length: count }, (_, item) => item)
  await Promise.all([
    ...items(CROWDS).map((n) =>
      relay.processes.start(crowd, { key: `crowd-${n}`, items: items(JOBS_PER_CROWD) }),
    ),
    ...items(KEYS).map((n) => relay.processes.start(series, { key: `key-${n}`, items: items(JOBS_PER_KEY) })),
  ])
}
