// The driver's tests once more, with a Kafka of the years when it needed ZooKeeper.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, describe, test } from 'node:test'
import { startKafka } from '../../../src/stack/kafka.js'
import { message } from '../../contract/broker-contract.js'
import { consume, newGroup, textOf } from '../../helpers/consuming.js'
import { createTopic, kafkaConnection, subscribeTo } from '../../helpers/kafka.js'
import { kafkaOperator } from '../../helpers/kafka-operator.js'
import { testServers } from '../../helpers/servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const DRIVER_TESTS = [
  '../../contract/kafka.test.js',
  './placement.test.js',
  './refusals.test.js',
  './guarantees.test.js',
  './lost-answer.test.js',
  './flush.test.js',
  './compression.test.js',
  './operator.test.js',
]

const folder = await mkdtemp(path.join(tmpdir(), 'kafka-2.8-'))
const { bootstrapServers, stop } = await startKafka(
  { folder, version: '2.8', onProgress: () => undefined },
  {
    'authorizer.class.name': 'kafka.security.authorizer.AclAuthorizer',
    'super.users': 'User:ANONYMOUS',
  },
)
after(async () => {
  await stop()
  await rm(folder, { recursive: true, force: true })
})

// The files read the addresses of their servers when they are loaded.
process.env.BPMN_RELAY_TEST_SERVERS = JSON.stringify({ ...testServers(), kafka: { bootstrapServers } })
for (const file of DRIVER_TESTS) {
  describe(`with Kafka 2.8: ${path.basename(file, '.test.js')}`, async () => {
    await import(file)
  })
}

test('with Kafka 2.8: a group consumes from a time on, is shared by two members, and goes on where it stopped', async (t) => {
  const topic = await createTopic(bootstrapServers, { partitions: 2 })
  const source = { group: newGroup(), topics: [{ topic }], from: { at: 'time', time: 0 } } as const
  const publisher = kafkaConnection(t, bootstrapServers)
  const publish = (value: string) =>
    Promise.all([0, 1].map((partition) => publisher.publish(message(topic, value, { partition }))))
  const join = () => consume(t, subscribeTo(bootstrapServers), source)
  await publish('before')

  const first = await join()
  await waitFor('what was there', () => first.messages.length === 2)
  const second = await join()
  await publish('during')
  await waitFor('both to get some', () => first.messages.length === 3 && second.messages.length === 1)
  await Promise.all([first, second].map(({ subscription }) => subscription.close()))
  const third = await join()
  await publish('after')

  await waitFor('the rest', () => third.messages.length === 2)
  assert.deepEqual(third.messages.map(textOf), ['after', 'after'])
})

test('with Kafka 2.8: ACLs are made, listed by what they are about, and deleted', async (t) => {
  const operator = kafkaOperator(t, bootstrapServers)
  const acl = {
    principal: 'User:alice',
    host: '*',
    operation: 'read',
    permission: 'allow',
    resourceType: 'topic',
    resourceName: 'orders',
    pattern: 'prefixed',
  }

  await operator.createAcl(acl)
  assert.deepEqual(await operator.listAcls({ resourceType: 'topic', resourceName: 'orders' }), [acl])
  assert.deepEqual(await operator.deleteAcls({ principal: 'User:alice' }), [acl])
  assert.deepEqual(await operator.listAcls({}), [])
})
