import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RelayError } from '../../../src/core/errors.js'
import type { Database } from '../../../src/db/database.js'
import { correlate, handlerBase, MESSAGE } from '../../helpers/trigger-handler.js'
import { waitFor } from '../../helpers/wait-for.js'

describe('a message that starts a process', () => {
  it('becomes its variables, with every digit, and a record', async (t) => {
    const { handle, engine, audit, ledger } = await handlerBase(t)
    const outcome = await handle({})
    assert.deepEqual(outcome, { kind: 'started', instance: { processInstanceKey: '1', processVersion: 3 } })
    assert.deepEqual(
      engine.started.map(({ variables }) => variables),
      [
        '{"payload":{"id":9007199254740993,"city":"Köln"},"attribute":{"topic":"orders","partition":0,"offset":7,' +
          '"timestamp":1769846400123,"headers":{},"key":"customer 1"}}',
      ],
    )
    const [row] = await audit()
    assert.equal(row?.operation, 'trigger.start')
    assert.equal(row?.status, 'done')
    assert.equal(row?.process_instance_key, '1')
    assert.equal(row?.process_id, 'order')
    assert.equal(row?.process_version, 3)
    assert.equal(row?.destination, 'orders')
    assert.match(row?.request ?? '', /"message":\{"id":9007199254740993,"city":"Köln"\}/)
    assert.equal(await ledger(), 1)
  })

  it('is not handled a second time when it is delivered again', async (t) => {
    const { handle, engine, audit } = await handlerBase(t)
    await handle({})
    assert.deepEqual(await handle({}), { kind: 'repeated' })
    assert.equal(engine.started.length, 1)
    assert.equal((await audit()).length, 1)
  })

  it('is another one when its topic was made anew and counts from the start again', async (t) => {
    const { handle, engine } = await handlerBase(t)
    await handle({})
    await handle({}, { ...MESSAGE, timestamp: MESSAGE.timestamp + 1 })
    assert.equal(engine.started.length, 2)
  })

  it('is handled once when it is delivered twice at the same moment', async (t) => {
    const { handle, engine } = await handlerBase(t)
    const outcomes = await Promise.all([handle({}), handle({})])
    assert.deepEqual(outcomes.map(({ kind }) => kind).sort(), ['repeated', 'started'])
    assert.equal(engine.started.length, 1)
  })

  it('gives the variables that an expression makes of it', async (t) => {
    const { handle, engine } = await handlerBase(t)
    await handle({ variables: '{city: value.city, from: topic, who: key, at: offset}' })
    assert.deepEqual(JSON.parse(engine.started[0]?.variables ?? ''), {
      ...{ city: 'Köln', from: 'orders', who: 'customer 1', at: 7 },
    })
  })

  it('is passed over when the activation condition is not true, which is recorded', async (t) => {
    const { handle, engine, audit, ledger } = await handlerBase(t)
    assert.deepEqual(await handle({ activationCondition: 'value.city = "Bonn"' }), { kind: 'passed-over' })
    assert.equal(engine.started.length, 0)
    assert.equal((await audit())[0]?.status, 'skipped')
    assert.equal(await ledger(), 0)
  })

  it('keeps the request id that it was published with, so that its trace goes on', async (t) => {
    const { handle, audit } = await handlerBase(t)
    await handle({}, { ...MESSAGE, headers: { 'x-request-id': Buffer.from('request-1') } })
    assert.equal((await audit())[0]?.request_id, 'request-1')
  })

  it('has the same request id at every delivery', async (t) => {
    const { handle, audit, engine } = await handlerBase(t)
    engine.fails('INTERNAL')
    await assert.rejects(handle({}))
    await handle({}, { ...MESSAGE, attempt: 2 })
    const [first, second] = await audit()
    assert.equal(first?.request_id, second?.request_id)
    assert.deepEqual([first?.attempt, second?.attempt], [1, 2])
  })
})

describe('a message that waits for the process it starts', () => {
  const COMPLETED = { acknowledge: 'completed', completionTimeoutMs: 1000 } as const

  it('is a dead letter when nobody knows whether that runs, and starts no other one', async (t) => {
    const { handle, engine, letters } = await handlerBase(t)
    engine.fails('COMPLETION_UNKNOWN')
    assert.equal((await handle(COMPLETED)).kind, 'dead-letter')
    assert.equal((await letters())[0]?.stage, 'completion')
    assert.deepEqual(await handle(COMPLETED), { kind: 'repeated' })
    assert.equal(engine.started.length, 1)
  })

  it('starts no other one when its worker ended meanwhile', async (t) => {
    const { handle, engine, letters, database } = await handlerBase(t)
    void handle(COMPLETED, MESSAGE, { engine: { ...engine, start: () => new Promise(() => undefined) } })
    await waitFor('the ledger to know it', async () => {
      const rows = await database.query('SELECT 1 FROM trigger_ledger WHERE is_open')
      return rows.length === 1
    })
    assert.equal((await handle(COMPLETED)).kind, 'dead-letter')
    assert.match((await letters())[0]?.error_text ?? '', /an instance may run/)
    assert.equal(engine.started.length, 0)
  })

  it('is started when Postgres has noted that without an answer', async (t) => {
    const { handle, database } = await handlerBase(t)
    let isAnswered = false
    const query: Database['query'] = async (text, values, name) => {
      const rows = await database.query<never>(text, values, name)
      if (name !== 'trigger-ledger-open' || isAnswered) return rows
      isAnswered = true
      throw new RelayError('DATABASE_AWAY', 'as the test wants it')
    }
    const outcome = await handle(COMPLETED, MESSAGE, { database: { ...database, query } })
    assert.equal(outcome.kind, 'started')
  })

  it('is started once the engine is back, without a doubt', async (t) => {
    const { handle, engine } = await handlerBase(t)
    engine.isAway = true
    const handled = handle(COMPLETED, MESSAGE, {
      onHold: () => {
        engine.isAway = false
        return () => undefined
      },
    })
    assert.equal((await handled).kind, 'started')
    assert.deepEqual(await handle(COMPLETED), { kind: 'repeated' })
  })
})

describe('a message that is correlated', () => {
  it('goes to the engine by its key, under the id it has at its broker', async (t) => {
    const { handle, engine, audit } = await handlerBase(t)
    const action = correlate({ correlationKey: 'value.city' })
    assert.deepEqual(await handle({ action }), { kind: 'correlated', messageKey: '5' })
    const [message] = engine.correlated
    assert.equal(message?.correlationKey, 'Köln')
    assert.equal(message?.messageId, 'orders-0-7')
    assert.equal((await audit())[0]?.operation, 'trigger.correlate')
  })

  it('may have an id of its own', async (t) => {
    const { handle, engine } = await handlerBase(t)
    await handle({ action: correlate({ messageId: '"id-" + string(offset)' }) })
    assert.equal(engine.correlated[0]?.messageId, 'id-7')
  })
})

describe('a message that is forwarded', () => {
  it('goes on as the same bytes, without being understood', async (t) => {
    const { handle, adapter, audit } = await handlerBase(t)
    const action = { kind: 'forward', adapterId: adapter.id, topic: 'copies' } as const
    const outcome = await handle({ action }, { ...MESSAGE, value: Buffer.from('{') })
    assert.equal(outcome.kind, 'forwarded')
    const [row] = await audit()
    assert.deepEqual([row?.operation, row?.status], ['trigger.forward', 'published'])
  })

  it('too often already is a dead letter that names the loop', async (t) => {
    const { handle, adapter, letters } = await handlerBase(t)
    const action = { kind: 'forward', adapterId: adapter.id, topic: 'copies' } as const
    await handle({ action }, { ...MESSAGE, headers: { 'x-bpmn-relay-hops': '8' } })
    assert.match((await letters())[0]?.error_text ?? '', /forwarded 8 times already .* part of a loop/)
  })
})
