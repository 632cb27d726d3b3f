import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consumeInGroup, createTopic, withAdmin } from '../../helpers/kafka.js'
import { newName, operator, shared } from '../../helpers/operator.js'

test('a consumer group', async (t) => {
  const { ok, json, refused } = await operator(t)

  await t.test('shows how far it has read and how far it lags behind', async () => {
    const [topic, group] = [await createTopic(shared()), newName()]
    await ok(['produce', '--topic', topic], '1\n2\n3\n')
    await withAdmin(shared(), (admin) =>
      admin.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: '1' }] }),
    )
    assert.match(await ok(['group', 'list']), new RegExp(`^${group} +Empty +0$`, 'm'))
    assert.match(await ok(['group', 'describe', group]), new RegExp(`^${topic} +0 +1 +3 +2 +- +-$`, 'm'))
    assert.deepEqual(await json(['group', 'describe', group]), {
      group,
      state: 'Empty',
      members: [],
      partitions: [{ topic, partition: 0, committedOffset: '1', endOffset: '3', lag: '2', memberId: null }],
    })
  })

  await t.test('shows its members, and is deleted only once they have left', async (t) => {
    const topic = await createTopic(shared())
    const consumer = await consumeInGroup(t, shared(), topic)
    const { group, clientId } = consumer
    const described = await ok(['group', 'describe', group])
    assert.match(described, new RegExp(`^Group ${group}, state Stable, members 1`))
    assert.match(described, new RegExp(`^${topic} +0 .*${clientId} +127\\.0\\.0\\.1$`, 'm'))
    const { stderr } = await refused(['group', 'delete', group, '--yes'])
    assert.match(stderr, /^BROKER_REFUSED: .*The group is not empty: stop its consumers first/)
    await consumer.leave()
    assert.equal(await ok(['group', 'delete', group, '--yes']), `Consumer group ${group} is deleted.\n`)
  })

  await t.test('that is not there can be neither described nor deleted', async () => {
    assert.match((await refused(['group', 'describe', 'absent'])).stderr, /^NOT_FOUND: .*group list/)
    assert.match((await refused(['group', 'delete', 'absent', '--yes'])).stderr, /^NOT_FOUND: /)
  })
})
