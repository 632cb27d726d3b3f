import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Replayed, replayDeadLetters } from '../../../src/admin/replay-dead-letters.js'
import type { InboundMessage } from '../../../src/brokers/subscription.js'
import { RelayError } from '../../../src/core/errors.js'
import { deadLetterById } from '../../../src/trigger/dead-letters.js'
import { chosenLetters } from '../../../src/trigger/resolve-dead-letters.js'
import type { TriggerHandler } from '../../../src/trigger/run-trigger.js'
import type { Trigger } from '../../../src/trigger/trigger.js'
import type { TriggerOutcome } from '../../../src/trigger/trigger-outcome.js'
import { createTrigger } from '../../../src/trigger/triggers.js'
import { giveUp } from '../../helpers/dead-letters.js'
import { triggerBase } from '../../helpers/triggers.js'

const STARTED: TriggerOutcome = { kind: 'started', instance: { processInstanceKey: '1', processVersion: 1 } }

test('A replay of dead letters', async (t) => {
  const { database, adapter: makeAdapter, adapters } = await triggerBase(t)
  const adapter = await makeAdapter('kafka')
  const action = { kind: 'start', processId: 'order', version: null } as const
  const trigger = await createTrigger(
    database,
    { name: 'start-orders', adapterId: adapter.id, topics: ['orders'], action, order: 'none' },
    await adapters(),
  )
  const givenUp = { trigger, adapter }
  let offset = 0
  const letters = async (
    count: number,
    fields: Partial<InboundMessage> = {},
    by: Partial<typeof givenUp> = {},
  ) => {
    const ids: string[] = []
    for (let n = 0; n < count; n++) {
      ids.push(await giveUp(database, { ...fields, offset: String(++offset) }, { ...givenUp, ...by }))
    }
    return ids
  }

  /** Hands letters to something that handles them as the test says, and records what also belongs to the record. */
  async function replay(
    ids: readonly string[],
    handled: (message: InboundMessage, trigger: Trigger) => Promise<TriggerOutcome> | TriggerOutcome = () =>
      STARTED,
    {
      actor = 'ada',
      perSecond,
      signal = new AbortController().signal,
    }: { actor?: string; perSecond?: number; signal?: AbortSignal } = {},
  ): Promise<Replayed[]> {
    const handler: Pick<TriggerHandler, 'replay'> = {
      async replay(trigger, message, also) {
        const outcome = await handled(message, trigger)
        await database.transaction((session) => also(session, outcome))
        return outcome
      },
    }
    const ended: Replayed[] = []
    await replayDeadLetters({ database, actor }, handler, {
      ...{ ids, perSecond, signal },
      onEnd: (replayed) => ended.push(replayed),
    })
    return ended
  }
  const stateOf = async (id: string) => {
    const { state, attempts, stage, errorCode, resolvedBy } = await deadLetterById(database, id)
    return [state, attempts, stage, errorCode, resolvedBy]
  }

  await t.test(
    'gives the message to the trigger and resolves the letter, with a row in the audit log',
    async () => {
      const [id = ''] = await letters(1)
      const seen: InboundMessage[] = []
      const ended = await replay([id], (message) => {
        seen.push(message)
        return STARTED
      })
      assert.deepEqual(ended, [{ id, kind: 'replayed', outcome: STARTED }])
      assert.deepEqual(
        seen.map(({ id, attempt }) => [id, attempt]),
        [['orders-0-1', 4]],
      )
      assert.deepEqual(await stateOf(id), ['replayed', 4, 'variables', 'EXPRESSION_INVALID', 'ada'])
      const [row] = await database.query(
        `SELECT status, actor, request_id, adapter_kind, request::jsonb FROM sys_audit_log WHERE operation = 'dead-letter.replay'`,
      )
      assert.deepEqual(row, {
        ...{ status: 'done', actor: 'ada', request_id: 'r1', adapter_kind: 'kafka' },
        request: { deadLetter: id, trigger: 'start-orders', attempt: 4 },
      })
    },
  )

  await t.test('that fails again leaves it waiting, with the new reason', async () => {
    const [id = ''] = await letters(1)
    const error = new RelayError('INPUT_INVALID', 'no such process')
    assert.deepEqual(await replay([id], () => ({ kind: 'failed', stage: 'action', error })), [
      { id, kind: 'failed', error },
    ])
    assert.deepEqual(await stateOf(id), ['waiting', 4, 'action', 'INPUT_INVALID', null])
    const [row] = await database.query(
      `SELECT status, error_code FROM sys_audit_log WHERE operation = 'dead-letter.replay' ORDER BY at DESC LIMIT 1`,
    )
    assert.deepEqual(row, { status: 'rejected', error_code: 'INPUT_INVALID' })
  })

  await t.test('by two at the same time handles each letter once', async () => {
    const ids = await letters(40)
    const seen: string[] = []
    const handled = async ({ id }: InboundMessage) => {
      seen.push(id)
      await new Promise(setImmediate)
      return STARTED
    }
    const [one, other] = await Promise.all([
      replay(ids, handled, { actor: 'ada' }),
      replay(ids, handled, { actor: 'bob' }),
    ])
    assert.equal(seen.length, 40)
    assert.equal(new Set(seen).size, 40)
    assert.deepEqual([...one, ...other].map(({ kind }) => kind).sort(), [
      ...Array(40).fill('gone'),
      ...Array(40).fill('replayed'),
    ])
  })

  await t.test('keeps the order of keys, where the trigger does, and lets others pass', async () => {
    const given = { name: 'by-key', adapterId: adapter.id, topics: ['orders'], action }
    const ordered = await createTrigger(database, { ...given, order: 'key' }, await adapters())
    const slow = await letters(3, { key: Buffer.from('slow') }, { trigger: ordered })
    const quick = await letters(1, { key: Buffer.from('quick') }, { trigger: ordered })
    const log: string[] = []
    let free = () => {}
    const gate = new Promise<void>((resolve) => {
      free = resolve
    })
    await replay([...slow, ...quick], async ({ key, offset }) => {
      log.push(`begin ${key}${offset}`)
      if (String(key) === 'quick') free()
      else await gate
      log.push(`end ${key}${offset}`)
      return STARTED
    })
    const ofSlow = log.filter((line) => line.includes('slow'))
    assert.deepEqual(ofSlow, [...ofSlow].sort(bySequence))
    assert.equal(log.findIndex((line) => line.startsWith('end quick')) < log.indexOf(ofSlow[1] ?? ''), true)
  })

  await t.test('stops when what it needs is away, and leaves the letters as they were', async () => {
    const ids = await letters(30)
    const away = new RelayError('ENGINE_UNREACHABLE', 'away')
    let count = 0
    const handled = () => {
      count += 1
      if (count > 5) throw away
      return STARTED
    }
    await assert.rejects(replay(ids, handled), away)
    const waiting = await chosenLetters(database, { filter: { trigger: trigger.id } })
    const left = waiting.filter((id) => ids.includes(id))
    assert.equal(left.length, 25)
    assert.deepEqual(await stateOf(left[0] ?? ''), ['waiting', 3, 'variables', 'EXPRESSION_INVALID', null])
    assert.ok(count < 30, 'it did not go on in vain')
    assert.deepEqual(
      (await replay(left)).map(({ kind }) => kind),
      Array(25).fill('replayed'),
    )
  })

  await t.test('begins with nothing more once it is interrupted', async () => {
    const ids = await letters(3)
    const stopping = new AbortController()
    const ended = await replay(
      ids,
      () => {
        stopping.abort()
        return STARTED
      },
      { signal: stopping.signal, perSecond: 1000 },
    )
    assert.equal(ended.length, 1)
  })

  await t.test('hands out no more a second than it is told to', async () => {
    const ids = await letters(6)
    const startedAt = performance.now()
    await replay(ids, undefined, { perSecond: 50 })
    assert.ok(performance.now() - startedAt >= 95)
  })

  await t.test(
    'goes to the trigger of the same name when the first was deleted, and nowhere without one',
    async () => {
      const gone = { ...trigger, id: '0198b3f0-0000-7000-8000-0000000000ff' }
      const [renewed = ''] = await letters(1, {}, { trigger: gone })
      const [orphan = ''] = await letters(1, {}, { trigger: { ...gone, name: 'pay' } })
      const by: string[] = []
      const ended = await replay([renewed, orphan], (_, { id }) => {
        by.push(id)
        return STARTED
      })
      assert.deepEqual(by, [trigger.id])
      assert.deepEqual(
        ended.map(({ id, kind }) => `${id} ${kind}`).sort(),
        [`${orphan} orphaned`, `${renewed} replayed`].sort(),
      )
      assert.equal((await stateOf(orphan))[0], 'waiting')
    },
  )
})

/** By offset, and of one offset its begin first. */
function bySequence(a: string, b: string): number {
  const [first, second] = [a, b].map((line) => Number(/\d+$/.exec(line)?.[0]))
  return (first ?? 0) - (second ?? 0) || (a.startsWith('begin') ? -1 : 1)
}
