import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, type TestContext, test } from 'node:test'
import type { PartitionMetadata } from 'kafkajs'
import type { RelayError } from '../../../src/core/errors.js'
import { type LocalKafkaCluster, startKafkaCluster } from '../../../src/stack/kafka-cluster.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { type Acknowledged, assertOrdered, assertPresent } from '../../helpers/acknowledged.js'
import {
  createTopic,
  kafkaConnection,
  persistently,
  type ReadMessage,
  readTopic,
  withAdmin,
} from '../../helpers/kafka.js'
import { runKafkaJava } from '../../helpers/kafka-java.js'
import { kafkaOperator } from '../../helpers/kafka-operator.js'
import { waitFor } from '../../helpers/wait-for.js'

const KEYS = 16
/** Messages of one key that are out at a time. */
const WINDOW = 3
/** Messages acknowledged before the leaders move, and after. */
const EACH_SIDE = 1000

/** Three brokers; every topic has a replica on each and takes messages while two are in sync. */
let cluster: LocalKafkaCluster
let folder: string

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kafka-cluster-'))
  cluster = await startKafkaCluster({ folder, onProgress: () => undefined }, 3)
})

after(async () => {
  await cluster?.stop()
  await rm(folder, { recursive: true, force: true })
})

test('leaders that move to other brokers in the middle of a run', async (t) => {
  const topic = await createTopic(cluster.bootstrapServers, { partitions: 3 })
  const run = publishSeries(t, topic)
  await run.goesOn()
  await moveLeaders(topic)
  await run.goesOn()
  const { acknowledged, failures } = await run.end()
  const log = await readTopic(cluster.bootstrapServers, topic, acknowledged.length)

  await t.test('fail nothing', () => assert.deepEqual(failures, []))
  await t.test('leave every message where its receipt says', () => assertPresent(acknowledged, log))
  await t.test('change no order within a key', () => assertOrdered(acknowledged, log))
  await t.test('repeat no message', () => assert.equal(repetitions(log), 0))
})

test('a broker killed in the middle of a run', async (t) => {
  const operator = kafkaOperator(t, cluster.bootstrapServers)
  const topic = await createTopic(cluster.bootstrapServers, { partitions: 3 })
  const strict = await createTopic(cluster.bootstrapServers, { config: { 'min.insync.replicas': '3' } })
  const strictConnection = kafkaConnection(t, cluster.bootstrapServers, { requestTimeoutMs: 1000 })
  await strictConnection.publish(message(strict, 'before'))
  const spread = `test-${randomUUID()}`
  await operator.createTopic({ topic: spread, partitions: 3, replicationFactor: 1, configs: {} })
  const victim = (await partitionsOf(topic))[0]?.leader ?? 0
  const run = publishSeries(t, topic)
  await run.goesOn()
  const unacknowledged = run.unacknowledged()
  await cluster.kill(victim)
  await partitionsWhen('other leaders', topic, ({ leader }) => leader !== victim && leader >= 0)
  await run.goesOn()
  const { acknowledged, failures } = await run.end()
  const log = await readTopic(cluster.bootstrapServers, topic, acknowledged.length)
  t.diagnostic(
    `${unacknowledged} messages unacknowledged at the kill, ${failures.length} failed, ${repetitions(log)} repeated`,
  )

  await t.test('costs no message that was acknowledged', () => assertPresent(acknowledged, log))
  await t.test('changes no order within a key', () => assertOrdered(acknowledged, log))
  await t.test('repeats no message but the unacknowledged', () =>
    assert.ok(repetitions(log) <= unacknowledged, `${repetitions(log)} of ${unacknowledged}`),
  )
  await t.test('fails no message for good', () =>
    assert.deepEqual(
      failures.filter(({ outcome }) => outcome !== 'failed'),
      [],
    ),
  )

  await t.test('holds up a topic that demands its replica, with the reason', async () => {
    await partitionsWhen('the replica to be missed', strict, ({ isr }) => isr.length === 2)
    const error = failure(await settled(strictConnection.publish(message(strict, 'too few'))))
    assert.equal(error.code, 'BROKER_UNAVAILABLE')
    assert.equal(error.outcome, 'failed')
    assert.match(error.message, /fewer in-sync replicas than required/)
  })

  await t.test('leaves a partition that only it had without a leader, as operators see', async () => {
    const { partitions } = await operator.describeTopic(spread)
    assert.deepEqual(partitions.map(({ leader, replicas }) => (leader === null ? replicas : 'led')).sort(), [
      [String(victim)],
      'led',
      'led',
    ])
    assert.ok((await operator.listTopics()).some((each) => each.topic === spread))
  })

  await t.test('holds up only the messages of that partition', async () => {
    const outcomes = await Promise.allSettled(
      [0, 1, 2].map((partition) => strictConnection.publish(message(spread, 'x', { partition }))),
    )
    const [refused, ...others] = outcomes.filter(({ status }) => status === 'rejected')
    assert.match(failure(refused).message, /has no leader/)
    assert.equal(others.length, 0)
  })

  await t.test('lets that topic take messages again once it is back', async () => {
    await cluster.restart(victim)
    await partitionsWhen('the replica to catch up', strict, ({ isr }) => isr.length === 3)
    await strictConnection.publish(message(strict, 'after'))
    const log = await readTopic(cluster.bootstrapServers, strict, 2)
    assert.deepEqual(
      log.map(({ value }) => String(value)),
      ['before', 'after'],
    )
  })
})

/** Publishes 0, 1, 2, … of every key, all keys at once, until told to end. */
function publishSeries(t: TestContext, topic: string) {
  const connection = kafkaConnection(t, cluster.bootstrapServers)
  const acknowledged: Acknowledged[] = []
  const failures: RelayError[] = []
  let called = 0
  let isOver = false

  async function publish(key: string, number: number): Promise<void> {
    const outgoing = message(topic, `${number}`, { key: Buffer.from(key) })
    called++
    const outcome = await settled(connection.publish(outgoing))
    if (outcome?.status === 'fulfilled') acknowledged.push({ message: outgoing, receipt: outcome.value })
    else failures.push(failure(outcome))
  }

  async function publishKey(key: string): Promise<void> {
    const out = new Set<Promise<void>>()
    for (let number = 0; !isOver; number++) {
      const publishing = publish(key, number).finally(() => out.delete(publishing))
      out.add(publishing)
      if (out.size === WINDOW) await Promise.race(out)
    }
    await Promise.all(out)
  }

  const publishing = Promise.all(Array.from({ length: KEYS }, (_, i) => publishKey(`key-${i}`)))
  return {
    unacknowledged: () => called - acknowledged.length,
    /** Resolves when further messages of every partition were acknowledged. */
    async goesOn(): Promise<void> {
      const start = acknowledged.length
      await waitFor('acknowledgements of all partitions', () => {
        const places = acknowledged
          .slice(start)
          .map(({ receipt }) => receipt.kind === 'kafka' && receipt.partition)
        return places.length >= EACH_SIDE && new Set(places).size === 3
      })
    },
    async end() {
      isOver = true
      await publishing
      return { acknowledged, failures }
    },
  }
}

/** As an operator does it: another replica becomes the preferred one of each partition, and then its leader. */
async function moveLeaders(topic: string): Promise<void> {
  const before = await partitionsOf(topic)
  const partitionAssignment = before.map(({ partitionId, replicas: [first = 0, ...others] }) => ({
    partition: partitionId,
    replicas: [...others, first],
  }))
  await withAdmin(cluster.bootstrapServers, (admin) =>
    admin.alterPartitionReassignments({ topics: [{ topic, partitionAssignment }] }),
  )
  await runKafkaJava('org.apache.kafka.tools.LeaderElectionCommand', [
    ...['--bootstrap-server', cluster.bootstrapServers],
    ...['--election-type', 'preferred', '--all-topic-partitions'],
  ])
  const leaders = new Map(before.map(({ partitionId, leader }) => [partitionId, leader]))
  await partitionsWhen(
    'the leaders to move',
    topic,
    ({ partitionId, leader }) => leader !== leaders.get(partitionId),
  )
}

const partitionsOf = (topic: string) => partitionsWhen('its partitions', topic, () => true)

/** The partitions of the topic, once all of them are as told. */
function partitionsWhen(
  what: string,
  topic: string,
  isAsTold: (partition: PartitionMetadata) => boolean,
): Promise<PartitionMetadata[]> {
  return withAdmin(cluster.bootstrapServers, (admin) =>
    waitFor(what, async () => {
      const { topics } = await persistently(() => admin.fetchTopicMetadata({ topics: [topic] }))
      const partitions = topics.flatMap((each) => each.partitions)
      return partitions.length > 0 && partitions.every(isAsTold) && partitions
    }),
  )
}

function repetitions(log: ReadMessage[]): number {
  return log.length - new Set(log.map(({ key, value }) => `${key} ${value}`)).size
}
