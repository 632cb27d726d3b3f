import assert from 'node:assert/strict'
import { after, before, type TestContext, test } from 'node:test'
import type { OutboundMessage } from '../../../src/brokers/broker.js'
import { Connections, type LiveConnection } from '../../../src/brokers/connections.js'
import { createKafkaDriver } from '../../../src/brokers/kafka/driver.js'
import { RelayError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { type Acknowledged, assertOrdered, assertPresent } from '../../helpers/acknowledged.js'
import { createTopic, kafkaConnection, readTopic } from '../../helpers/kafka.js'
import { type OwnKafka, ownKafka } from '../../helpers/own-kafka.js'
import { testServers } from '../../helpers/servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const LIMITS = { connectionTimeoutMs: 1000, requestTimeoutMs: 2000 }
const KEYS = 50
const CALLS_PER_KEY = 100
const CALLS = KEYS * CALLS_PER_KEY
/** Calls of one key at a time. */
const WINDOW = 10
const OUTAGES = 5
/** A machine that is busy with others needs its time. */
const PATIENCE_MS = 90_000

let kafka: OwnKafka
before(async () => {
  kafka = await ownKafka()
})
after(() => kafka.stop())

test(`Kafka killed in the middle of ${CALLS} calls, several of each key at a time`, async (t) => {
  const topic = await createTopic(kafka.address, { partitions: 3 })
  const series = publishSeries(t, topic)
  await waitFor('half of the calls', () => series.acknowledged.length >= CALLS / 2, PATIENCE_MS)
  const unacknowledged = series.pause()
  await kafka.kill()
  await kafka.restart()
  series.goOn()
  const failures = await series.ended
  const { acknowledged } = series
  const log = await readTopic(kafka.address, topic, acknowledged.length)
  const duplicates = log.length - new Set(log.map(({ key, value }) => `${key} ${value}`)).size
  t.diagnostic(
    `${unacknowledged} calls unacknowledged at the kill, ${failures.length} failed, ${duplicates} duplicates`,
  )

  await t.test('loses nothing that was acknowledged', () => assertPresent(acknowledged, log))
  await t.test('changes no order within a key', () => assertOrdered(acknowledged, log))
  await t.test('repeats no message but the unacknowledged', () => assert.ok(duplicates <= unacknowledged))
  await t.test('fails no other call, and those so that they may be tried again', () => {
    assert.equal(acknowledged.length + failures.length, CALLS)
    assert.ok(failures.length <= unacknowledged)
    assert.deepEqual(
      new Set(failures.map(({ outcome }) => outcome)),
      new Set(failures.length > 0 ? ['failed'] : []),
    )
  })
})

test('The circuit of an adapter whose Kafka goes away and comes back', async (t) => {
  const { own, other, connections } = connect(t)
  const outgoing = message(await createTopic(kafka.address), 'm')
  const elsewhere = message(await createTopic(testServers().kafka.bootstrapServers), 'm')
  const position = (adapter: string) => connections.circuits().get(adapter)?.position
  const codeOf = async () => failure(await settled(own.publish(outgoing))).code
  await own.publish(outgoing)
  await kafka.kill()

  await t.test('opens after five outages in a row', async () => {
    const outages = await Promise.all(Array.from({ length: OUTAGES }, codeOf))
    for (const code of outages) assert.match(code, /^BROKER_/)
    assert.equal(await codeOf(), 'ADAPTER_OUT_OF_SERVICE')
    assert.equal(position('own'), 'open')
  })

  await t.test('lets one message at a time try, which is held too', async () => {
    const tries = await waitFor('a try', async () => {
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => own.publish(outgoing)))
      const errors = outcomes.map(failure)
      assert.deepEqual(new Set(errors.map(({ code }) => code)), new Set(['ADAPTER_OUT_OF_SERVICE']))
      const found = errors.filter(({ cause }) => cause instanceof RelayError)
      return found.length > 0 && found
    })
    assert.equal(tries.length, 1)
    assert.match(String(tries[0]?.message), /as this message tried.*Kafka at 127\.0\.0\.1/)
  })

  await t.test('does not concern other adapters', async () => {
    assert.equal((await other.publish(elsewhere)).topic, elsewhere.topic)
    assert.equal(position('other'), 'closed')
  })

  await t.test('closes by itself once Kafka is back', async () => {
    await kafka.restart()
    const backSince = new Date()
    await waitFor(
      'a message to go through',
      async () => (await settled(own.publish(outgoing)))?.status === 'fulfilled',
      PATIENCE_MS,
    )
    const report = connections.circuits().get('own')
    assert.equal(report?.position, 'closed')
    assert.ok(report.since >= backSince)
  })
})

/** Publishes 0, 1, 2, … of every key, all keys at once, without waiting for the calls before but within the window. */
function publishSeries(t: TestContext, topic: string) {
  const connection = kafkaConnection(t, kafka.address, LIMITS)
  const acknowledged: Acknowledged[] = []
  const failures: RelayError[] = []
  let called = 0
  let goOn = () => {}
  let mayCall = Promise.resolve()

  async function call(outgoing: OutboundMessage): Promise<void> {
    called += 1
    const outcome = await settled(connection.publish(outgoing))
    if (outcome?.status === 'fulfilled') acknowledged.push({ message: outgoing, receipt: outcome.value })
    else failures.push(failure(outcome))
  }

  async function publishKey(key: string): Promise<void> {
    const out = new Set<Promise<void>>()
    for (let number = 0; number < CALLS_PER_KEY; number += 1) {
      await mayCall
      const calling = call(message(topic, `${number}`, { key: Buffer.from(key) })).finally(() =>
        out.delete(calling),
      )
      out.add(calling)
      if (out.size === WINDOW) await Promise.race(out)
    }
    await Promise.all(out)
  }

  const ended = Promise.all(Array.from({ length: KEYS }, (_, n) => publishKey(`key-${n}`))).then(
    () => failures,
  )
  return {
    acknowledged,
    /** Resolves to the errors of the calls that failed. */
    ended,
    /** Lets no further call be made. @returns calls without an answer */
    pause(): number {
      mayCall = new Promise((resolve) => {
        goOn = resolve
      })
      return called - acknowledged.length - failures.length
    },
    goOn: () => goOn(),
  }
}

/** An adapter of the Kafka that goes away, and one of the other. */
function connect(t: TestContext): { own: LiveConnection; other: LiveConnection; connections: Connections } {
  const driver = createKafkaDriver()
  const connections = new Connections(silentLog)
  t.after(() => connections.close())
  connections.retain(new Map(['own', 'other'].map((name) => [name, name])))
  const get = (name: string, address: string) =>
    connections.get(name, name, (context) => driver.connect(driver.parse(address, LIMITS), context))
  return {
    own: get('own', kafka.address),
    other: get('other', testServers().kafka.bootstrapServers),
    connections,
  }
}
