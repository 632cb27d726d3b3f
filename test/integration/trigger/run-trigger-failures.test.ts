import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { TriggerSettings } from '../../../src/trigger/trigger.js'
import { correlate, handlerBase, MESSAGE } from '../../helpers/trigger-handler.js'
import { waitFor } from '../../helpers/wait-for.js'

describe('a message that fails', () => {
  it('comes again while it has attempts left, and each is recorded', async (t) => {
    const { handle, engine, audit, letters, ledger } = await handlerBase(t)
    engine.fails('ENGINE_FAILED')
    await assert.rejects(handle({}), { code: 'ENGINE_FAILED' })
    assert.deepEqual(
      (await audit()).map(({ status, error_code }) => [status, error_code]),
      [['failed', 'ENGINE_FAILED']],
    )
    assert.equal((await letters()).length, 0)
    assert.equal(await ledger(), 0)
  })

  it('is a dead letter after its last attempt, and done with', async (t) => {
    const { handle, engine, letters } = await handlerBase(t)
    engine.fails('ENGINE_FAILED')
    const outcome = await handle({ maxAttempts: 3 }, { ...MESSAGE, attempt: 3 })
    assert.equal(outcome.kind, 'dead-letter')
    const [letter] = await letters()
    assert.equal(letter?.attempts, 3)
    assert.equal(letter?.stage, 'action')
    assert.equal(letter?.error_code, 'ENGINE_FAILED')
    assert.deepEqual(letter?.value, MESSAGE.value)
    assert.deepEqual(await handle({}), { kind: 'repeated' })
  })

  const forGood: [what: string, settings: Partial<TriggerSettings>, message: object, stage: string][] = [
    ['cannot be deserialized', {}, { value: Buffer.from('{') }, 'deserialize'],
    ['has a wrong condition', { activationCondition: '1 + 1' }, {}, 'condition'],
    ['makes no variables', { variables: 'value.id' }, {}, 'variables'],
    ['has no correlation key', { action: correlate({ correlationKey: 'value.none' }) }, {}, 'correlation'],
    [
      'has a rounded correlation key',
      { action: correlate({ correlationKey: 'value.id' }) },
      {},
      'correlation',
    ],
  ]
  for (const [what, settings, message, stage] of forGood) {
    it(`for good is a dead letter at once: ${what}`, async (t) => {
      const { handle, letters } = await handlerBase(t)
      assert.equal((await handle(settings, { ...MESSAGE, ...message })).kind, 'dead-letter')
      assert.deepEqual(
        (await letters()).map((letter) => letter.stage),
        [stage],
      )
    })
  }

  it('is skipped when it cannot be deserialized and the trigger wants that', async (t) => {
    const { handle, letters, audit } = await handlerBase(t)
    const unreadable = { ...MESSAGE, value: Buffer.from('{') }
    assert.equal((await handle({ onUndeserializable: 'skip' }, unreadable)).kind, 'skipped')
    assert.equal((await letters()).length, 0)
    const [row] = await audit()
    assert.deepEqual([row?.status, row?.error_code], ['skipped', 'VALUE_NOT_DESERIALIZABLE'])
  })

  it('waits while the engine is away, which costs it no attempt', async (t) => {
    const { handle, engine, audit } = await handlerBase(t)
    engine.isAway = true
    const held: string[] = []
    const handled = handle({ maxAttempts: 1 }, MESSAGE, {
      onHold: ({ code }) => {
        held.push(code)
        return () => held.push('released')
      },
    })
    await waitFor('the message to wait', () => held.length > 0)
    engine.isAway = false
    assert.equal((await handled).kind, 'started')
    assert.equal(held[0], 'ENGINE_UNREACHABLE')
    assert.equal(held.at(-1), 'released')
    assert.deepEqual(
      (await audit()).map(({ attempt }) => attempt),
      [1],
    )
  })

  it('that waits is left to its redelivery when its worker stops', async (t) => {
    const { handle, engine, letters } = await handlerBase(t)
    engine.isAway = true
    const stopping = new AbortController()
    const handled = handle({}, MESSAGE, {
      signal: stopping.signal,
      onHold: () => {
        stopping.abort()
        return () => undefined
      },
    })
    await assert.rejects(handled, { code: 'WORKER_STOPPING' })
    assert.equal((await letters()).length, 0)
  })
})

describe('a dead letter that is tried again', () => {
  it('is handled although the ledger knows it', async (t) => {
    const { handle, replay, engine } = await handlerBase(t)
    engine.fails('ENGINE_REFUSED')
    assert.equal((await handle({})).kind, 'dead-letter')
    assert.equal((await replay({})).kind, 'started')
  })

  it('that fails says at what, and is not given up a second time', async (t) => {
    const { replay, letters } = await handlerBase(t)
    const outcome = await replay({ variables: '1' })
    assert.ok(outcome.kind === 'failed')
    assert.equal(outcome.stage, 'variables')
    assert.equal((await letters()).length, 0)
  })

  it('is recorded together with what becomes of the letter, or not at all', async (t) => {
    const { replay, audit, ledger } = await handlerBase(t)
    const also = () => Promise.reject(new Error('no'))
    await assert.rejects(replay({}, also), { message: 'no' })
    assert.deepEqual([(await audit()).length, await ledger()], [0, 0])
    await replay({})
    assert.deepEqual([(await audit()).length, await ledger()], [1, 1])
  })

  it('while the engine is away was not tried', async (t) => {
    const { replay, engine, audit } = await handlerBase(t)
    engine.isAway = true
    await assert.rejects(replay({}), { code: 'ENGINE_UNREACHABLE' })
    assert.deepEqual(await audit(), [])
  })
})
