import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { AdapterDirectory } from '../../src/adapters/directory.js'
import { createSecrets } from '../../src/adapters/secrets.js'
import { createAdapterStore } from '../../src/adapters/store.js'
import type { AuditRow } from '../../src/audit/call-record.js'
import { createCapture } from '../../src/audit/capture.js'
import { Connections } from '../../src/brokers/connections.js'
import { registryOf } from '../../src/brokers/registry.js'
import { readConfig } from '../../src/core/config.js'
import { type ErrorCode, RelayError } from '../../src/core/errors.js'
import { silentLog } from '../../src/core/log.js'
import type { Database } from '../../src/db/database.js'
import type { InstanceStart, MessageCorrelation } from '../../src/engine/engine.js'
import { createTriggerHandler } from '../../src/trigger/run-trigger.js'
import type { Trigger, TriggerSettings } from '../../src/trigger/trigger.js'
import { TRIGGER_DEFAULTS } from '../../src/trigger/trigger-defaults.js'
import { TriggerStats } from '../../src/trigger/trigger-stats.js'
import { inboundMessage } from './inbound-message.js'
import { migratedDatabase } from './migrated-database.js'
import { recordingDriver } from './recording-driver.js'

export const MESSAGE = inboundMessage({
  attempt: 1,
  value: Buffer.from('{"id":9007199254740993,"city":"Köln"}'),
})

/** The action that correlates. */
export function correlate(given: { correlationKey?: string; messageId?: string }): TriggerSettings['action'] {
  const { correlationKey = 'key', messageId = null } = given
  return { kind: 'message', name: 'paid', correlationKey, messageId, ttlMs: 1000 }
}

/** In memory. */
class TestEngine {
  readonly name = 'test-engine'
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

/** What a worker does with messages, on a database of the test's own and an engine in memory. */
export async function handlerBase(t: TestContext) {
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
  const handlerOn = (
    given: Pick<TestEngine, 'name' | 'start' | 'correlate' | 'check'>,
    db: Database = database,
  ) =>
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
        engine?: Pick<TestEngine, 'name' | 'start' | 'correlate' | 'check'>
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
