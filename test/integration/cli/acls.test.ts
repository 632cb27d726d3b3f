import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { startKafka } from '../../../src/stack/kafka.js'
import { createTopic } from '../../helpers/kafka.js'
import { operator } from '../../helpers/operator.js'

test('an ACL', async (t) => {
  const { refused } = await operator(t)

  await t.test('is refused where the brokers have no authorizer', async () => {
    const { stderr } = await refused(['acl', 'list'])
    assert.match(stderr, /^BROKER_REFUSED: .*Security features are disabled: set authorizer\.class\.name/)
  })

  await t.test('says on what is missing', async () => {
    const { code, stderr } = await refused(['acl', 'create', '--principal', 'User:a', '--operation', 'read'])
    assert.equal(code, 2)
    assert.match(stderr, /give --topic, --group, --transactional-id or --cluster/)
  })
})

test('at a broker with an authorizer that forbids to delete topics', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'acl-kafka-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const kafka = await startKafka(
    { folder, onProgress: () => undefined },
    {
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
      'allow.everyone.if.no.acl.found': true,
      'delete.topic.enable': false,
    },
  )
  t.after(() => kafka.stop())
  const { ok, json, refused } = await operator(t, { address: kafka.bootstrapServers })

  await t.test('ACLs are made, listed by what they are about, and deleted', async () => {
    const alice = ['--principal', 'User:alice']
    assert.equal(
      await ok(['acl', 'create', ...alice, '--operation', 'read', 'describe', '--topic', 'orders']),
      'ACL is made: allow User:alice to read on topic orders from *.\n' +
        'ACL is made: allow User:alice to describe on topic orders from *.\n',
    )
    const deny = ['--operation', 'all', '--group', 'shop-', '--pattern', 'prefixed', '--permission', 'deny']
    await ok(['acl', 'create', ...alice, ...deny, '--host', '10.0.0.1'])
    assert.match(
      await ok(['acl', 'list', '--topic', 'orders']),
      /^User:alice +allow +describe +topic +orders +literal +\*\nUser:alice +allow +read +topic +orders/m,
    )
    assert.deepEqual(await json(['acl', 'list', '--group', 'shop-']), [
      {
        principal: 'User:alice',
        host: '10.0.0.1',
        resourceName: 'shop-',
        operation: 'all',
        permission: 'deny',
        resourceType: 'group',
        pattern: 'prefixed',
      },
    ])
    assert.equal(await ok(['acl', 'delete', ...alice, '--topic', 'orders', '--yes']), 'ACLs deleted: 2.\n')
    assert.equal(await ok(['acl', 'list', '--topic', 'orders']), 'No ACLs match.\n')
    assert.equal(Object(await json(['acl', 'list', ...alice])).length, 1)
  })

  await t.test('ACLs are not deleted unasked, nor all at once', async () => {
    assert.match((await refused(['acl', 'delete', '--principal', 'User:a'])).stderr, /add --yes/)
    assert.match((await refused(['acl', 'delete', '--yes'])).stderr, /at least one option/)
  })

  await t.test('a principal without a type and an unknown operation are refused', async () => {
    const about = ['--topic', 'orders']
    const typeless = await refused(['acl', 'create', '--principal', 'a', '--operation', 'read', ...about])
    assert.match(typeless.stderr, /^INPUT_INVALID: principal "a" .*User:/)
    const unknown = await refused(['acl', 'create', '--principal', 'User:a', '--operation', 'red', ...about])
    assert.match(unknown.stderr, /^INPUT_INVALID: operation "red" is unknown: use one of all, read/)
  })

  await t.test('topics stay, and the reason is given', async () => {
    const topic = await createTopic(kafka.bootstrapServers)
    const { stderr } = await refused(['topic', 'delete', topic, '--yes'])
    assert.match(stderr, /^BROKER_REFUSED: .*Topic deletion is disabled: set delete\.topic\.enable=true/)
  })
})
