import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AdapterConsumer } from '../../../src/adapters/directory.js'
import { silentLog } from '../../../src/core/log.js'
import type { GroupMove } from '../../../src/trigger/trigger.js'
import { makeMoves } from '../../../src/trigger/trigger-moves.js'
import { createTrigger, trigger } from '../../../src/trigger/triggers.js'
import { createTopic, kafkaConnection } from '../../helpers/kafka.js'
import { kafkaOperator } from '../../helpers/kafka-operator.js'
import { newName, shared } from '../../helpers/operator.js'
import { triggerBase } from '../../helpers/triggers.js'

test('The group of a trigger', async (t) => {
  const { database, adapter, adapters } = await triggerBase(t)
  const { id: adapterId } = await adapter('orders')
  const operator = kafkaOperator(t, shared())
  const consumer: AdapterConsumer = {
    hash: '',
    subscribe: () => assert.fail('nobody consumes'),
    operate: () => ({ ...operator, close: async () => undefined }),
  }
  const topic = await createTopic(shared(), { partitions: 2 })
  const connection = kafkaConnection(t, shared())
  for (const partition of [0, 0, 0, 1]) {
    const message = { topic, partition, requestId: newName(), value: Buffer.from('m'), headers: {} }
    await connection.publish(message)
  }

  const beginsAt = async (initialOffset: 'latest' | 'earliest', moves: GroupMove[]) => {
    const name = newName()
    const action = { kind: 'start', processId: 'p', version: null } as const
    const given = { name, group: name, adapterId, topics: [topic], action, initialOffset }
    const made = await createTrigger(database, given, await adapters(), { moves })
    assert.equal(await makeMoves(database, made, consumer, [topic], silentLog), true)
    assert.deepEqual((await trigger(database, name)).pendingMoves, [])
    const { partitions } = await operator.describeGroup(name)
    return partitions.map(({ committedOffset }) => committedOffset)
  }
  const at = (partition: number, offset: string): GroupMove => ({
    ...{ to: { at: 'offset', offset }, topic, partitions: [partition] },
  })

  await t.test('begins at the offsets that are given', async () => {
    assert.deepEqual(await beginsAt('latest', [at(0, '2'), at(1, '0')]), ['2', '0'])
  })

  await t.test('begins at the initial offset in partitions that do not hold the offset', async () => {
    const both: GroupMove = { to: { at: 'offset', offset: '2' }, partitions: [0, 1] }
    assert.deepEqual(await beginsAt('latest', [both]), ['2', '1'])
    assert.deepEqual(await beginsAt('earliest', [both]), ['2', '0'])
  })
})
