import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { message } from '../contract/broker-contract.js'
import { ownRocketmq } from '../helpers/own-rocketmq.js'
import { createRelay, type Relay } from '../helpers/relay.js'
import { connect, createTopic, type ReadMessage, readTopic } from '../helpers/rocketmq.js'
import { completedJobs, failedJobs, heldJobs, incidents } from '../helpers/settled-jobs.js'
import { hangingServer } from '../helpers/unwell-servers.js'
import { waitFor } from '../helpers/wait-for.js'

const JOBS = 3000
/** All of a process instance's are ready at once. */
const JOBS_PER_PROCESS = 100
/** While others wait for a name server that hangs. */
const MEANWHILE = 200
const MAX_IN_FLIGHT = 32
const RETRIES = 20
/** A job whose worker heard nothing of it comes again after its timeout of a minute, on a busy machine not at once. */
const PATIENCE_MS = 100_000
const LIMITS = { connectTimeoutMs: 2000, sendTimeoutMs: 2000 }
const GROUPS = 10
const GROUPED = 600

test('RocketMQ killed and started again', async (t) => {
  const [relay, rocketmq] = await Promise.all([createRelay(t), ownRocketmq()])
  t.after(() => rocketmq.stop())
  const { nameServer, proxyEndpoint } = rocketmq
  const own = await relay.adapter({ kind: 'rocketmq', address: nameServer, settings: LIMITS })
  await relay.startWorker({ BPMN_RELAY_MAX_IN_FLIGHT: String(MAX_IN_FLIGHT) })
  const topic = await createTopic(nameServer)
  const processId = await deploy(relay, own.id, topic)
  const grouped = {
    remoting: await groupedPublisher(t, nameServer, { address: nameServer, protocol: 'remoting' }),
    grpc: await groupedPublisher(t, nameServer, { address: proxyEndpoint, protocol: 'grpc' }),
  }

  await startJobs(relay, processId, numbers(JOBS))
  await completions(relay, JOBS / 6)
  await Promise.all([grouped.remoting.start(), grouped.grpc.start()])
  await rocketmq.killBroker()
  await rocketmq.restart()
  await completions(relay, JOBS / 2)
  await rocketmq.killNameServer()
  const settledBefore = relay.gateway.settled.length
  await completions(relay, (JOBS * 2) / 3)
  const settledWithoutNames = relay.gateway.settled.slice(settledBefore)
  const nameServerIsBack = rocketmq.restart()
  // Awaited below; a failure before that is no unhandled one.
  nameServerIsBack.catch(() => undefined)

  await t.test(`all of ${JOBS} jobs complete, none with an incident`, async (t) => {
    await completions(relay, JOBS)
    assert.deepEqual(incidents(relay), [])
    t.diagnostic(`${failedJobs(relay).size} jobs failed at least once, ${heldJobs(relay).size} were held`)
  })

  await t.test('without the name server known topics go on', () => {
    const failed = settledWithoutNames.filter(({ message: text }) => text.includes(nameServer))
    assert.deepEqual(failed, [])
  })

  await t.test('a name server that hangs holds only its own jobs', async (t) => {
    const { address } = await hangingServer(t)
    const hanging = await relay.adapter({ kind: 'rocketmq', address })
    await startJobs(relay, await deploy(relay, hanging.id, topic), numbers(2 * MAX_IN_FLIGHT))
    const isHeld = ({ message: text }: { message: string }) => text.startsWith('ADAPTER_UNANSWERING')

    await startJobs(
      relay,
      processId,
      numbers(MEANWHILE).map((number) => JOBS + number),
    )

    await completions(relay, JOBS + MEANWHILE)
    await waitFor('held jobs', () => relay.gateway.settled.some(isHeld))
    const firsts = new Map(relay.gateway.settled.toReversed().map((each) => [each.jobKey, each]))
    const heldAtFirst = [...firsts.values()].filter(isHeld)
    assert.ok(heldAtFirst.every(({ retries }) => retries === RETRIES))
  })

  await nameServerIsBack

  await t.test('no message of a completed job is lost', async (t) => {
    const all = numbers(JOBS + MEANWHILE)
    const read = (await readTopic(nameServer, topic, all.length)).map(numberOf)
    const found = new Set(read)
    assert.deepEqual(
      all.filter((number) => !found.has(number)),
      [],
    )
    t.diagnostic(`${read.length - all.length} duplicates`)
  })

  for (const [protocol, publisher] of Object.entries(grouped)) {
    await t.test(
      `over ${protocol} what is acknowledged is there, in the order of its group, repeats aside`,
      async (t) => {
        const acknowledged = await publisher.acknowledged()
        const read = await readTopic(nameServer, publisher.topic, acknowledged.length)
        t.diagnostic(`${acknowledged.length} of ${GROUPED} acknowledged, ${read.length} stored`)
        // One that was given up may still arrive, whenever the server comes to it.
        const stored = [...new Set(read.map(numberOf))].filter((number) => acknowledged.includes(number))
        for (const group of numbers(GROUPS)) {
          const ofGroup = (number: number) => number % GROUPS === group
          assert.deepEqual(stored.filter(ofGroup), acknowledged.filter(ofGroup))
        }
      },
    )
  }
})

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number)
}

function numberOf({ body }: ReadMessage): number {
  return Number(String(body))
}

function deploy(relay: Relay, adapterId: string, topic: string): Promise<string> {
  return relay.deploy('rocketmq', {
    inputs: { adapterId, topic, message: '=string(item)' },
    headers: { retryBackoff: 'PT1S' },
    retries: RETRIES,
    forEach: { items: '=items', order: 'parallel' },
  })
}

/** Each of the jobs publishes a number of its own. */
async function startJobs(relay: Relay, processId: string, items: number[]): Promise<void> {
  for (let from = 0; from < items.length; from += JOBS_PER_PROCESS) {
    await relay.processes.start(processId, { items: items.slice(from, from + JOBS_PER_PROCESS) })
  }
}

async function completions(relay: Relay, count: number): Promise<void> {
  await waitFor(`${count} completed jobs`, () => completedJobs(relay).size >= count, PATIENCE_MS)
}

/** Publishes numbers, those of a group in their order; ready to begin at once. */
async function groupedPublisher(
  t: TestContext,
  nameServer: string,
  { address, protocol }: { address: string; protocol: string },
) {
  const connection = connect(t, address, { protocol, retries: 10, ...LIMITS })
  const topic = await createTopic(nameServer, { type: 'FIFO' })
  await connection.publish(message(topic, 'warm-up', { messageGroup: 'warm-up' }))
  let outcomes: Promise<PromiseSettledResult<unknown>[]> | undefined
  return {
    topic,
    /** Resolves with the first acknowledgement. */
    async start(): Promise<void> {
      const publishing = numbers(GROUPED).map((number) =>
        connection.publish(message(topic, `${number}`, { messageGroup: `group-${number % GROUPS}` })),
      )
      outcomes = Promise.allSettled(publishing)
      await publishing[0]
    },
    async acknowledged(): Promise<number[]> {
      const settled = (await outcomes) ?? []
      return settled.flatMap(({ status }, number) => (status === 'fulfilled' ? [number] : []))
    },
  }
}
