import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Receipt } from '../../../src/brokers/broker.js'
import { message } from '../../contract/broker-contract.js'
import { consume, newGroup, textOf } from '../../helpers/consuming.js'
import { ownRocketmq } from '../../helpers/own-rocketmq.js'
import { connect, createTopic, subscribeOver } from '../../helpers/rocketmq.js'
import { waitFor } from '../../helpers/wait-for.js'

const GROUPS = Array.from({ length: 8 }, (_, n) => `group-${n}`)
const LIMITS = { connectTimeoutMs: 2000, sendTimeoutMs: 2000, retries: 4 }
/** Members notice within twenty seconds that queues are gone, on a busy machine later. */
const PATIENCE_MS = 60_000

test('a topic on two brokers', async (t) => {
  const rocketmq = await ownRocketmq()
  t.after(() => rocketmq.stop())
  const { nameServer } = rocketmq
  const second = await rocketmq.startBroker('broker-b')
  const topic = await createTopic(nameServer, { queues: 2 })
  const connection = connect(t, nameServer, LIMITS)
  const { messages } = await consume(t, subscribeOver(nameServer, LIMITS), {
    topics: [{ topic }],
    group: newGroup(),
    order: 'key',
  })
  const brokersOf = () => new Set(messages.map(({ queue }) => queue.broker))
  const acknowledged: string[] = []
  const publish = async (value: string, messageGroup?: string): Promise<Receipt> => {
    const receipt = await connection.publish(message(topic, value, messageGroup ? { messageGroup } : {}))
    acknowledged.push(value)
    return receipt
  }
  const publishEach = async (phase: string) => {
    for (const group of GROUPS) for (const n of [0, 1, 2]) await publish(`${group} ${phase}-${n}`, group)
  }

  await t.test('gets messages on both, and those of a group on one queue', async () => {
    for (let n = 0; n < 8; n++) await publish(`both-${n}`)
    await publishEach('both')

    await waitFor('all messages', () => messages.length === acknowledged.length)
    assert.deepEqual(brokersOf(), new Set(['broker-a', 'broker-b']))
    for (const group of GROUPS) {
      const places = messages
        .filter((each) => each.messageGroup === group)
        .map(({ queue }) => `${queue.broker} ${queue.partition}`)
      assert.equal(new Set(places).size, 1)
    }
  })

  await second.kill()

  await t.test('goes on with the other when one is gone, and so do the groups of its queues', async () => {
    for (let n = 0; n < 8; n++) await publish(`one-${n}`)
    await publishEach('one')

    await waitFor(
      'all messages',
      () => {
        const handled = new Set(messages.map(textOf))
        return acknowledged.every((value) => handled.has(value))
      },
      PATIENCE_MS,
    )
    for (const group of GROUPS) {
      const ofGroup = messages.filter((each) => each.messageGroup === group).map(textOf)
      assert.deepEqual(
        [...new Set(ofGroup)],
        acknowledged.filter((value) => value.startsWith(`${group} `)),
      )
    }
  })
})
