import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewTrigger } from '../../../src/trigger/trigger-settings.js'
import {
  createTrigger,
  deleteTrigger,
  movesDone,
  requestMoves,
  setState,
  trigger,
  triggers,
  updateTrigger,
} from '../../../src/trigger/triggers.js'
import { triggerBase } from '../../helpers/triggers.js'

const START = { kind: 'start', processId: 'order', version: null } as const

test('A trigger', async (t) => {
  const { database, store, adapter, adapters } = await triggerBase(t)
  const { id: adapterId } = await adapter('orders')
  const make = async (given: Partial<NewTrigger> = {}) =>
    createTrigger(
      database,
      { name: 'orders-in', adapterId, topics: ['orders'], action: START, ...given },
      await adapters(),
    )
  t.beforeEach(() => database.query('TRUNCATE trigger'))

  await t.test('is found by name and by id as it was made, with the defaults', async () => {
    const made = await make()
    assert.deepEqual(await trigger(database, 'orders-in'), made)
    assert.deepEqual(await trigger(database, made.id), made)
    assert.deepEqual(await triggers(database), [made])
    const { group, order, acknowledge, state, revision, pendingMoves } = made
    assert.deepEqual(
      { group, order, acknowledge, state, revision, pendingMoves },
      {
        ...{ group: 'bpmn-relay-orders-in', order: 'key', acknowledge: 'accepted', state: 'running' },
        ...{ revision: 1, pendingMoves: [] },
      },
    )
  })

  await t.test('keeps every setting it was given', async () => {
    const news = await adapter('news', { kind: 'rocketmq', address: 'localhost:9876' })
    const given = {
      ...{ name: 'all', description: 'everything', adapterId: news.id, topics: [], topicPattern: 'news-.*' },
      ...{ filter: { tags: ['a', 'b'] }, group: 'g', order: 'queue', concurrency: 7 },
      action: { kind: 'message', name: 'paid', correlationKey: 'value.id', messageId: 'key', ttlMs: 60_000 },
      ...{ activationCondition: 'value.n > 1', variables: '{n: value.n}', acknowledge: 'received' },
      ...{ completionTimeoutMs: null, initialOffset: 'earliest', onUndeserializable: 'skip', maxAttempts: 3 },
      ...{ retryBackOffMs: 10, retryBackOffMaxMs: 20, deadLetterTopic: 'dead', deadLetterAdapterId: news.id },
      state: 'paused',
    } satisfies NewTrigger
    const { id, pendingMoves, managed, revision, createdAt, updatedAt, ...kept } = await make(given)
    assert.deepEqual(kept, given)
    assert.deepEqual(await trigger(database, id), {
      ...{ ...kept, id, pendingMoves, managed, revision, createdAt, updatedAt },
    })
  })

  await t.test('keeps its group when it gets another name', async () => {
    await make()
    const changed = await updateTrigger(database, 'orders-in', { name: 'other' }, await adapters())
    assert.deepEqual([changed.name, changed.group, changed.revision], ['other', 'bpmn-relay-orders-in', 2])
  })

  await t.test('takes changes that were made at the same moment, one after the other', async () => {
    const { id } = await make()
    const known = await adapters()
    await Promise.all([
      updateTrigger(database, id, { description: 'd' }, known),
      updateTrigger(database, id, { concurrency: 3 }, known),
      setState(database, id, 'paused'),
    ])
    const { description, concurrency, state, revision } = await trigger(database, id)
    assert.deepEqual([description, concurrency, state, revision], ['d', 3, 'paused', 4])
  })

  await t.test('goes from topics to a pattern and back', async () => {
    await make()
    const known = await adapters()
    const pattern = await updateTrigger(database, 'orders-in', { topicPattern: 'o.*' }, known)
    assert.deepEqual([pattern.topics, pattern.topicPattern], [[], 'o.*'])
    const back = await updateTrigger(database, 'orders-in', { topics: ['orders'] }, known)
    assert.deepEqual([back.topics, back.topicPattern], [['orders'], null])
  })

  await t.test('has a name of its own', async () => {
    await make()
    await assert.rejects(make(), { code: 'NAME_TAKEN', message: /there is a trigger "orders-in" already/ })
  })

  await t.test('that is not there is told apart from one that is', async () => {
    const unknown = { code: 'NOT_FOUND', message: /no trigger "x": `bpmn-relay trigger list`/ }
    await assert.rejects(trigger(database, 'x'), unknown)
    await assert.rejects(setState(database, 'x', 'paused'), unknown)
    await assert.rejects(deleteTrigger(database, 'x'), unknown)
  })

  await t.test('has moves made in their order, done only if it has not changed', async () => {
    const { id } = await make()
    await requestMoves(database, id, [{ to: { at: 'earliest' } }])
    const last = {
      to: { at: 'offset', offset: '9223372036854775807' },
      topic: 'orders',
      partitions: [0, 1],
    } as const
    const { pendingMoves, revision } = await requestMoves(database, id, [{ ...last, partitions: [0, 1] }])
    assert.deepEqual(pendingMoves, [{ to: { at: 'earliest' } }, last])
    assert.equal(await movesDone(database, id, revision - 1), false)
    assert.equal((await trigger(database, id)).pendingMoves.length, 2)
    assert.equal(await movesDone(database, id, revision), true)
    assert.deepEqual((await trigger(database, id)).pendingMoves, [])
  })

  await t.test('forgets moves that one of everything comes after', async () => {
    const { id } = await make()
    await requestMoves(database, id, [{ to: { at: 'earliest' }, topic: 'orders' }])
    const { pendingMoves } = await requestMoves(database, id, [{ to: { at: 'time', time: 1 } }])
    assert.deepEqual(pendingMoves, [{ to: { at: 'time', time: 1 } }])
  })

  await t.test('keeps its adapters, whichever way it refers to them', async () => {
    const target = await adapter('target')
    const dead = await adapter('dead')
    await make()
    await make({ name: 'on', action: { kind: 'forward', adapterId: target.id, topic: null } })
    await make({ name: 'late', deadLetterAdapterId: dead.id, deadLetterTopic: 'dead' })
    await assert.rejects(store.deleteAdapter('orders'), {
      code: 'ADAPTER_IN_USE',
      message: 'adapter "orders" is used by triggers "late", "on", "orders-in": change or delete them first',
    })
    await assert.rejects(store.deleteAdapter('target'), {
      message: /by trigger "on": change or delete it first/,
    })
    await assert.rejects(store.deleteAdapter('dead'), { message: /by trigger "late"/ })
  })

  await t.test('lets go of its adapter when it is deleted', async () => {
    await make({ adapterId: (await adapter('last')).id })
    await deleteTrigger(database, 'orders-in')
    await store.deleteAdapter('last')
  })

  await t.test('is refused when its adapter goes while it is made', async () => {
    const { id: adapterId } = await adapter('gone')
    const known = await adapters()
    await store.deleteAdapter('gone')
    const given = { name: 'x', adapterId, topics: ['t'], action: START }
    await assert.rejects(createTrigger(database, given, known), {
      code: 'SETTINGS_INVALID',
      message: /adapter that trigger "x" refers to was deleted meanwhile/,
    })
  })
})
