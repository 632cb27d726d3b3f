import path from 'node:path'
import { AdapterDirectory } from './adapters/directory.js'
import { createSecrets, masterKeyFrom, type Secrets } from './adapters/secrets.js'
import { type AdapterStore, createAdapterStore } from './adapters/store.js'
import { type Alerting, startAlerting } from './alerts/alerting.js'
import { createNotifiers } from './alerts/notifiers/notifiers.js'
import { createNotifierStore } from './alerts/notifiers/store.js'
import { createCapture } from './audit/capture.js'
import { createFileLog } from './audit/file-log.js'
import { fileLogFolder } from './audit/file-log-files.js'
import { createRecorder } from './audit/recorder.js'
import { startAuditRetention } from './audit/retention.js'
import { NO_SPOOL, openSpool, type Spool } from './audit/spool/spool.js'
import { Connections } from './brokers/connections.js'
import { brokerDrivers, type DriverRegistry, type RegisteredDriver } from './brokers/registry.js'
import type { Config } from './core/config.js'
import { messageOf, RelayError } from './core/errors.js'
import type { Log } from './core/log.js'
import { pause } from './core/time-limit.js'
import type { Database } from './db/database.js'
import { openConfiguredDatabase } from './db/default-database.js'
import { migrate } from './db/migrate.js'
import { ensureAuditPartitions } from './db/partitions.js'
import { startUpkeep } from './db/upkeep.js'
import type { Engine, JobWorker } from './engine/engine.js'
import { createZeebeEngine } from './engine/zeebe.js'
import { createMetrics, type MetricsSource } from './http/metrics.js'
import { type ReadinessOptions, readinessOf } from './http/readiness.js'
import { type HttpServer, openHttpServer } from './http/server.js'
import { Holds } from './publish/holds.js'
import { createLedger } from './publish/ledger.js'
import { createPublisher } from './publish/publish-job.js'
import { spooledLedger } from './publish/spooled-ledger.js'
import { startRollUp } from './sla/rollup.js'
import { WorkerStats } from './sla/worker-stats.js'
import { createTriggerHandler, type TriggerHandler } from './trigger/run-trigger.js'
import { TriggerStats } from './trigger/trigger-stats.js'
import { startTriggers, type TriggerWorker } from './trigger/trigger-worker.js'

/** An unanswering broker keeps at most one part in this many of the jobs in hand. */
const UNANSWERED_PARTS = 4
const DATABASE_RETRY_MS = 500
/** A statement answered this recently is as good as a ping. */
const DATABASE_FRESH_MS = 1000

export interface Service {
  /** Task types this worker takes jobs of. */
  readonly taskTypes: string[]
  /** Where it answers `/healthz`, `/readyz` and `/metrics`; undefined: nowhere. */
  readonly httpAddress: string | undefined
  /** Takes no new jobs, finishes those in hand within the grace time, closes everything. May be called twice. */
  stop(): Promise<void>
}

/** What commands need besides a running worker: the database, migrated, and what is kept in it. */
export interface Workbench {
  database: Database
  registry: DriverRegistry
  secrets: Secrets
  store: AdapterStore
}

/** Opens the database of a configuration and brings its schema up to date. */
export async function openWorkbench(config: Config, log: Log): Promise<Workbench> {
  const database = await openConfiguredDatabase(config, log)
  try {
    await migrate(database, log)
    await ensureAuditPartitions(database)
  } catch (error) {
    await database.close()
    throw error
  }
  const keyFile = config.databaseUrl === undefined ? path.join(config.dataFolder, 'master.key') : undefined
  const secrets = createSecrets(() => masterKeyFrom({ configured: config.masterKey, keyFile }))
  const registry = brokerDrivers()
  return { database, registry, secrets, store: createAdapterStore(database, registry, secrets) }
}

/** Gives a command what handles messages as the triggers of a worker do, without a worker. It is closed afterwards. */
export async function withTriggerHandler<T>(
  { database, registry, secrets, store }: Workbench,
  config: Config,
  log: Log,
  use: (handler: TriggerHandler) => Promise<T>,
): Promise<T> {
  const engine = createZeebeEngine(config, log)
  const connections = new Connections(log)
  const { modulesFolder, workerName: worker } = config
  const places = { databaseUrl: database.url, modulesFolder, log }
  const directory = new AdapterDirectory({ store, registry, connections, secrets, ...places })
  const handler = createTriggerHandler({
    ...{ engine, directory, registry, connections, database, worker, log },
    capture: createCapture(config),
    // What operators do is in no file log.
    fileLog: { write: () => undefined },
    stats: new TriggerStats(),
    unansweredShare: unansweredShareOf(config),
  })
  try {
    await directory.reload()
    return await use(handler)
  } finally {
    await handler.close()
    await directory.close()
    await connections.close()
    await engine.close()
  }
}

/**
 * The composition root: starts a worker and everything it stands on; `stop` closes it in reverse order.
 * @param engine closed with the service; default: the Zeebe of the configuration.
 */
export async function startService(
  config: Config,
  log: Log,
  engine: Engine = createZeebeEngine(config, log),
): Promise<Service> {
  const closers: (() => Promise<unknown>)[] = []
  const closeAll = async (): Promise<void> => {
    for (const close of closers.reverse()) {
      await close().catch((error: unknown) => log.warn('closing failed', { reason: messageOf(error) }))
    }
  }
  try {
    closers.push(() => engine.close())
    const { database, registry, secrets, store } = await openWorkbench(config, log)
    closers.push(() => database.close())
    const stats = new WorkerStats()
    const holds = new Holds()
    const connections = new Connections(log)
    const spool = await openConfiguredSpool(config, engine.name, database, log)
    if (spool) closers.push(() => spool.close())
    const recorder = createRecorder({
      database,
      engineName: engine.name,
      worker: config.workerName,
      onBatch: (calls) => stats.recordBatch(calls),
      overflow: spool,
      log,
    })
    closers.push(() => recorder.flush())

    const triggerStats = new TriggerStats()
    let worker: JobWorker | undefined
    let triggers: TriggerWorker | undefined
    let alerting: Alerting | undefined
    const http = await openHttp(config, {
      stats,
      connections,
      worker: () => worker,
      triggerStats,
      triggers: () => triggers,
      maxInFlight: config.maxInFlight,
      recordsWaiting: () => recorder.waiting,
      jobsOnHold: () => holds.held,
      alerting: () => alerting,
      spool: spool && (() => ({ ...spool.state(), isFull: spool.isFull })),
      database,
    })
    if (http) {
      closers.push(() => http.close())
      log.info('answering /healthz, /readyz and /metrics', { address: http.address })
    }

    const upkeep = startUpkeep({ database, ...config, log })
    closers.push(() => upkeep.stop())
    const retention = startAuditRetention({ database, ...config, log })
    closers.push(() => retention.stop())
    const rollUp = startRollUp({ database, kept: config, log })
    closers.push(() => rollUp.stop())

    closers.push(() => connections.close())
    const directory = new AdapterDirectory({
      store,
      registry,
      connections,
      secrets,
      modulesFolder: config.modulesFolder,
      databaseUrl: database.url,
      log,
    })
    closers.push(() => directory.close())
    await directory.start()

    const started = startAlerting({
      database,
      notifiers: createNotifiers(createNotifierStore(database, store, secrets), log),
      self: {
        worker: config.workerName,
        engine: engine.name,
        inFlight: () => worker?.inFlight ?? 0,
        onHold: () => holds.held,
        recordsWaiting: () => recorder.waiting + (spool?.state().records ?? 0),
        pollAgeMs: () => pollAge(worker, config.maxInFlight),
        circuits: () => connections.circuits(),
        triggers: () => triggers?.status() ?? new Map(),
      },
      kept: config,
      keptDays: config.auditRetentionDays,
      log,
    })
    alerting = started
    closers.push(() => started.stop())

    const fileLog = createFileLog({
      folder: fileLogFolder(config),
      worker: config.workerName,
      maxBytes: config.fileLogMaxBytes,
      maxFiles: config.fileLogFiles,
      log,
    })
    closers.push(() => fileLog.close())

    const drivers = driversByTaskType(config, registry)
    const unansweredShare = unansweredShareOf(config)
    const capture = createCapture(config)
    const ledger = createLedger({
      database,
      engineName: engine.name,
      retentionDays: config.ledgerRetentionDays,
      log,
    })
    const publishJob = createPublisher({
      engine,
      directory,
      connections,
      ledger: spool ? spooledLedger(ledger, spool, engine.name, log) : ledger,
      recorder,
      fileLog,
      capture,
      holds,
      stats,
      driverOf: (taskType) => known(drivers, taskType),
      unansweredShare,
      jobTimeoutMs: config.jobTimeoutMs,
      log,
    })
    const taking = engine.work(
      {
        types: [...drivers.keys()],
        maxInFlight: config.maxInFlight,
        jobTimeoutMs: config.jobTimeoutMs,
        extraSlots: () => connections.overShare(unansweredShare),
        trickle: () => connections.allRefuse(unansweredShare),
        gate: (signal) => (spool ? spoolHasRoom(spool, log, signal) : databaseAnswers(database, log, signal)),
      },
      publishJob,
    )
    worker = taking
    const handler = createTriggerHandler({
      ...{ engine, directory, registry, connections, database, fileLog, capture, unansweredShare, log },
      stats: triggerStats,
      worker: config.workerName,
    })
    const consuming = startTriggers({ database, directory, handler, log })
    triggers = consuming
    closers.push(async () => {
      worker = undefined
      await Promise.all([stopWorker(taking, config.shutdownGraceMs, log), consuming.close()])
      triggers = undefined
    })
    announce(engine, [...drivers.keys()], log)

    let stopping: Promise<void> | undefined
    return {
      taskTypes: [...drivers.keys()],
      httpAddress: http?.address,
      stop() {
        stopping ??= closeAll()
        return stopping
      },
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

function unansweredShareOf({ maxInFlight }: Config): number {
  return Math.max(1, Math.floor(maxInFlight / UNANSWERED_PARTS))
}

async function openConfiguredSpool(
  { spoolDir: folder, spoolMaxBytes: maxBytes, workerName: worker }: Config,
  engineName: string,
  database: Database,
  log: Log,
): Promise<Spool | undefined> {
  return folder === undefined
    ? undefined
    : await openSpool({ folder, maxBytes, worker, engineName, database, log })
}

async function openHttp(
  { httpPort: port, httpHost: host }: Config,
  source: Omit<MetricsSource, 'databaseSilentMs' | 'spool'> & ReadinessOptions & { database: Database },
): Promise<HttpServer | undefined> {
  if (port === 'off') return undefined
  const { database, spool } = source
  const metrics = createMetrics({
    ...source,
    databaseSilentMs: () => database.silentForMs(),
    spool: () => spool?.() ?? NO_SPOOL,
  })
  return await openHttpServer({ host, port, readiness: () => readinessOf(source), metrics })
}

function driversByTaskType(config: Config, registry: DriverRegistry): Map<string, RegisteredDriver> {
  const aliases: Record<string, string[]> = {
    kafka: config.kafkaTaskTypes,
    rocketmq: config.rocketmqTaskTypes,
  }
  const drivers = new Map<string, RegisteredDriver>()
  for (const driver of registry.values()) {
    for (const type of [driver.taskType, ...(aliases[driver.kind] ?? [])]) {
      if (drivers.has(type)) {
        throw new RelayError(
          'CONFIG_INVALID',
          `task type "${type}" is given for two kinds of broker: remove one of them`,
        )
      }
      drivers.set(type, driver)
    }
  }
  return drivers
}

function known(drivers: Map<string, RegisteredDriver>, taskType: string): RegisteredDriver {
  const driver = drivers.get(taskType)
  if (driver) return driver
  throw new RelayError('INTERNAL', `the engine sent a job of type "${taskType}", which nobody asked for`)
}

/** Waits while Postgres is away: jobs taken then could only be given back. */
async function databaseAnswers(database: Database, log: Log, signal: AbortSignal): Promise<void> {
  if (database.silentForMs() < DATABASE_FRESH_MS) return
  let away = false
  while (!signal.aborted) {
    try {
      await database.query('SELECT 1', [], 'ping')
      if (away) log.info('Postgres is back; taking jobs again')
      return
    } catch (error) {
      if (!away) log.error('Postgres is away; no jobs are taken', { reason: messageOf(error) })
      away = true
      await pause(DATABASE_RETRY_MS, signal)
    }
  }
}

/** Null while it does not poll: before it is started, once it stops, and with its hands full. */
function pollAge(worker: JobWorker | undefined, maxInFlight: number): number | null {
  return worker && worker.inFlight < maxInFlight ? worker.lastPollAgeMs() : null
}

/** Waits while the spool is full: jobs taken then could only be given back. */
async function spoolHasRoom(spool: Spool, log: Log, signal: AbortSignal): Promise<void> {
  if (!spool.isFull) return
  log.error('the spool has reached BPMN_RELAY_SPOOL_MAX_BYTES; no jobs are taken', { ...spool.state() })
  while (spool.isFull && !signal.aborted) await pause(DATABASE_RETRY_MS, signal)
  if (!signal.aborted) log.info('the spool has room again; taking jobs')
}

async function stopWorker(worker: JobWorker, graceMs: number, log: Log): Promise<void> {
  const left = await worker.stop(graceMs)
  if (left > 0)
    log.warn('stopped with jobs in hand; the engine hands them out again after their job timeout', {
      jobs: left,
    })
}

function announce(engine: Engine, types: string[], log: Log): void {
  engine.check().then(
    () => log.info('taking jobs', { engine: engine.name, types }),
    (error: unknown) => log.warn('the engine does not answer yet; trying on', { reason: messageOf(error) }),
  )
}
