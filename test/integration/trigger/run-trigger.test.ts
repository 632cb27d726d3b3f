import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, it, type TestContext } from 'node:test'
import { AdapterDirectory } from '../../../src/adapters/directory.js'
import { createSecrets } from '../../../src/adapters/secrets.js'
import { createAdapterStore } from '../../../src/adapters/store.js'
import type { AuditRow } from '../../../src/audit/call-record.js'
import { createCapture } from '../../../src/audit/capture.js'
import { Connections } from '../../../src/brokers/connections.js'
import { registryOf } from '../../../src/brokers/registry.js'
import { readConfig } from '../../../src/core/config.js'
import { type ErrorCode, RelayError } from '../../../src/core/errors.js'
import { silentLog } from '../../../src/core/log.js'
import type { Database } from '../../../src/db/database.js'
import type { InstanceStart, MessageCorrelation } from '../../../src/engine/engine.js'
import { createTriggerHandler } from '../../../src/trigger/run-trigger.js'
import type { Trigger, TriggerSettings } from '../../../src/trigger/trigger.js'
import { TRIGGER_DEFAULTS } from '../../../src/trigger/trigger-defaults.js'
import { TriggerStats } from '../../../src/trigger/trigger-stats.js'
import { inboundMessage } from '../../helpers/inbound-message.js'
import { migratedDatabase } from '../../helpers/migrated-database.js'
import { recordingDriver } from '../../helpers/recording-driver.js'
import { waitFor } from '../../helpers/wait-for.js'

const MESSAGE = inboundMessage({ attempt: 1, value: Buffer.from('{"id":9007199254740993,"city":"Köln"}') })

describe('a message that starts a process', () => {
  it('becomes its variables, with every digit, and a record', async (t) => {
    const { handle, engine, audit, ledger } = await base(t)
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
    const { handle, engine, audit } = await base(t)
    await handle({})
    assert.deepEqual(await handle({}), { kind: 'repeated' })
    assert.equal(engine.started.length, 1)
    assert.equal((await audit()).length, 1)
  })

  it('is another one when its topic was made anew and counts from the start again', async (t) => {
    const { handle, engine } = await base(t)
    await handle({})
    await handle({}, { ...MESSAGE, timestamp: MESSAGE.timestamp + 1 })
    assert.equal(engine.started.length, 2)
  })

  it('is handled once when it is delivered twice at the same moment', async (t) => {
    const { handle, engine } = await base(t)
    const outcomes = await Promise.all([handle({}), handle({})])
    assert.deepEqual(outcomes.map(({ kind }) => kind).sort(), ['repeated', 'started'])
    assert.equal(engine.started.length, 1)
  })

  it('gives the variables that an expression makes of it', async (t) => {
    const { handle, engine } = await base(t)
    await handle({ variables: '{city: value.city, from: topic, who: key, at: offset}' })
    assert.deepEqual(JSON.parse(engine.started[0]?.variables ?? ''), {
      ...{ city: 'Köln', from: 'orders', who: 'customer 1', at: 7 },
    })
  })

  it('is passed over when the activation condition is not true, which is recorded', async (t) => {
    const { handle, engine, audit, ledger } = await base(t)
    assert.deepEqual(await handle({ activationCondition: 'value.city = "Bonn"' }), { kind: 'passed-over' })
    assert.equal(engine.started.length, 0)
    assert.equal((await audit())[0]?.status, 'skipped')
    assert.equal(await ledger(), 0)
  })

  it('keeps the request id that it was published with, so that its trace goes on', async (t) => {
    const { handle, audit } = await base(t)
    await handle({}, { ...MESSAGE, headers: { 'x-request-id': Buffer.from('request-1') } })
    assert.equal((await audit())[0]?.request_id, 'request-1')
  })

  it('has the same request id at every delivery', async (t) => {
    const { handle, audit, engine } = await base(t)
    engine.fails('INTERNAL')
    await assert.rejects(handle({}))
    await handle({}, { ...MESSAGE, attempt: 2 })
    const [first, second] = await audit()
    assert.equal(first?.request_id, second?.request_id)
    assert.deepEqual([first?.attempt, second?.attempt], [1, 2])
  })
})

describe('a message that fails', () => {
  it('comes again while it has attempts left, and each is recorded', async (t) => {
    const { handle, engine, audit, letters, ledger } = await base(t)
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
    const { handle, engine, letters } = await base(t)
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
      const { handle, letters } = await base(t)
      assert.equal((await handle(settings, { ...MESSAGE, ...message })).kind, 'dead-letter')
      assert.deepEqual(
        (await letters()).map((letter) => letter.stage),
        [stage],
      )
    })
  }

  it('is skipped when it cannot be deserialized and the trigger wants that', async (t) => {
    const { handle, letters, audit } = await base(t)
    const unreadable = { ...MESSAGE, value: Buffer.from('{') }
    assert.equal((await handle({ onUndeserializable: 'skip' }, unreadable)).kind, 'skipped')
    assert.equal((await letters()).length, 0)
    const [row] = await audit()
    assert.deepEqual([row?.status, row?.error_code], ['skipped', 'VALUE_NOT_DESERIALIZABLE'])
  })

  it('waits while the engine is away, which costs it no attempt', async (t) => {
    const { handle, engine, audit } = await base(t)
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
    const { handle, engine, letters } = await base(t)
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

describe('a message that waits for the process it starts', () => {
  const COMPLETED = { acknowledge: 'completed', completionTimeoutMs: 1000 } as const

  it('is a dead letter when nobody knows whether that runs, and starts no other one', async (t) => {
    const { handle, engine, letters } = await base(t)
    engine.fails('COMPLETION_UNKNOWN')
    assert.equal((await handle(COMPLETED)).kind, 'dead-letter')
    assert.equal((await letters())[0]?.stage, 'completion')
    assert.deepEqual(await handle(COMPLETED), { kind: 'repeated' })
    assert.equal(engine.started.length, 1)
  })

  it('starts no other one when its worker ended meanwhile', async (t) => {
    const { handle, engine, letters, database } = await base(t)
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
    const { handle, database } = await base(t)
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
    const { handle, engine } = await base(t)
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
    const { handle, engine, audit } = await base(t)
    const action = correlate({ correlationKey: 'value.city' })
    assert.deepEqual(await handle({ action }), { kind: 'correlated', messageKey: '5' })
    const [message] = engine.correlated
    assert.equal(message?.correlationKey, 'Köln')
    assert.equal(message?.messageId, 'orders-0-7')
    assert.equal((await audit())[0]?.operation, 'trigger.correlate')
  })

  it('may have an id of its own', async (t) => {
    const { handle, engine } = await base(t)
    await handle({ action: correlate({ messageId: '"id-" + string(offset)' }) })
    assert.equal(engine.correlated[0]?.messageId, 'id-7')
  })
})

describe('a message that is forwarded', () => {
  it('goes on as the same bytes, without being understood', async (t) => {
    const { handle, adapter, audit } = await base(t)
    const action = { kind: 'forward', adapterId: adapter.id, topic: 'copies' } as const
    const outcome = await handle({ action }, { ...MESSAGE, value: Buffer.from('{') })
    assert.equal(outcome.kind, 'forwarded')
    const [row] = await audit()
    assert.deepEqual([row?.operation, row?.status], ['trigger.forward', 'published'])
  })

  it('too often already is a dead letter that names the loop', async (t) => {
    const { handle, adapter, letters } = await base(t)
    const action = { kind: 'forward', adapterId: adapter.id, topic: 'copies' } as const
    await handle({ action }, { ...MESSAGE, headers: { 'x-bpmn-relay-hops': '8' } })
    assert.match((await letters())[0]?.error_text ?? '', /forwarded 8 times already .* part of a loop/)
  })
})

describe('a dead letter that is tried again', () => {
  it('is handled although the ledger knows it', async (t) => {
    const { handle, replay, engine } = await base(t)
    engine.fails('ENGINE_REFUSED')
    assert.equal((await handle({})).kind, 'dead-letter')
    assert.equal((await replay({})).kind, 'started')
  })

  it('that fails says at what, and is not given up a second time', async (t) => {
    const { replay, letters } = await base(t)
    const outcome = await replay({ variables: '1' })
    assert.ok(outcome.kind === 'failed')
    assert.equal(outcome.stage, 'variables')
    assert.equal((await letters()).length, 0)
  })

  it('is recorded together with what becomes of the letter, or not at all', async (t) => {
    const { replay, audit, ledger } = await base(t)
    const also = () => Promise.reject(new Error('no'))
    await assert.rejects(replay({}, also), { message: 'no' })
    assert.deepEqual([(await audit()).length, await ledger()], [0, 0])
    await replay({})
    assert.deepEqual([(await audit()).length, await ledger()], [1, 1])
  })

  it('while the engine is away was not tried', async (t) => {
    const { replay, engine, audit } = await base(t)
    engine.isAway = true
    await assert.rejects(replay({}), { code: 'ENGINE_UNREACHABLE' })
    assert.deepEqual(await audit(), [])
  })
})

function correlate(given: { correlationKey?: string; messageId?: string }): TriggerSettings['action'] {
  const { correlationKey = 'key', messageId = null } = given
  return { kind: 'message', name: 'paid', correlationKey, messageId, ttlMs: 1000 }
}

/** An engine in memory. */
class TestEngine {
  readonly started: InstanceStart[] = []
  readonly correlated: MessageCorrelation[] = []
  isAway = false
  #failure: ErrorCode | undefined

  /** The next call fails so. */
  fails(code: ErrorCode): void {
    this.#failure = code
  }

  start = async (instance: InstanceStart) => {
    await this.check()
    this.started.push(instance)
    this.#failOnce()
    return { processInstanceKey: String(this.started.length), processVersion: 3 }
  }

  correlate = async (message: MessageCorrelation) => {
    this.correlated.push(message)
    this.#failOnce()
    return '5'
  }

  check = async () => {
    if (this.isAway) throw new RelayError('ENGINE_UNREACHABLE', 'away')
  }

  #failOnce(): void {
    const code = this.#failure
    this.#failure = undefined
    if (code) throw new RelayError(code, 'as the test wants it')
  }
}

async function base(t: TestContext) {
  const database = await migratedDatabase(t)
  const registry = registryOf(recordingDriver('memory').driver)
  const secrets = createSecrets(() => Buffer.alloc(32, 7))
  const store = createAdapterStore(database, registry, secrets)
  const connections = new Connections(silentLog)
  const adapter = await store.createAdapter({
    ...{ name: 'memory', kind: 'memory', address: 'here', valueSerialization: 'json' },
  })
  const directory = new AdapterDirectory({
    ...{ store, registry, connections, secrets, modulesFolder: undefined },
    ...{ databaseUrl: database.url, log: silentLog },
  })
  await directory.reload()
  const engine = new TestEngine()
  const id = randomUUID()
  const handlerOn = (given: Pick<TestEngine, 'start' | 'correlate' | 'check'>, db: Database = database) =>
    createTriggerHandler({
      ...{ engine: given, directory, registry, connections, database: db },
      ...{ capture: createCapture(readConfig({})), fileLog: { write: () => undefined } },
      ...{ stats: new TriggerStats(), unansweredShare: 10, worker: 'test', log: silentLog },
    })
  const handler = handlerOn(engine)
  t.after(() => handler.close())
  const triggerWith = (settings: Partial<TriggerSettings>): Trigger => ({
    ...TRIGGER_DEFAULTS,
    ...{ id, name: 'orders', topics: ['orders'], group: 'orders', adapterId: adapter.id },
    action: { kind: 'start', processId: 'order', version: null },
    ...{ pendingMoves: [], managed: false, revision: 1, createdAt: new Date(), updatedAt: new Date() },
    ...settings,
  })
  return {
    ...{ database, engine, adapter },
    handle: (
      settings: Partial<TriggerSettings>,
      message = MESSAGE,
      {
        engine: another,
        database: db,
        signal = new AbortController().signal,
        onHold,
      }: {
        engine?: Pick<TestEngine, 'start' | 'correlate' | 'check'>
        database?: Database
        signal?: AbortSignal
        onHold?: (error: RelayError) => () => void
      } = {},
    ) =>
      (another || db ? handlerOn(another ?? engine, db) : handler).handle(triggerWith(settings), message, {
        signal,
        onHold,
      }),
    replay: (settings: Partial<TriggerSettings>, also: () => Promise<void> = async () => undefined) =>
      handler.replay(triggerWith(settings), MESSAGE, also),
    audit: () => database.query<AuditColumns>('SELECT * FROM sys_audit_log ORDER BY at, id'),
    letters: () => database.query<LetterColumns>('SELECT * FROM dead_letter'),
    ledger: async () => (await database.query('SELECT 1 FROM trigger_ledger')).length,
  }
}

interface AuditColumns {
  operation: string
  status: AuditRow['status']
  process_instance_key: string | null
  process_id: string | null
  process_version: number | null
  destination: string
  request: string | null
  request_id: string
  attempt: number
  error_code: string | null
}

interface LetterColumns {
  stage: string
  attempts: number
  error_code: string
  error_text: string
  value: Buffer
}
