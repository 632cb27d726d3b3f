import { messageOf, RelayError } from './errors.js'
import type { LogLevel } from './log.js'
import { defaultWorkerName } from './worker-name.js'

export interface Entry<T> {
  /** The environment variable. Names of the Zeebe client are kept as that client documents them. */
  env: string
  /** Reads the text; throws an Error that says what would be right. */
  read: (text: string) => T
  default: T
  /** The default in words, where the value alone says too little. */
  defaultText?: string
  secret?: boolean
  text: string
}

const text = (value: string): string => value

function flag(value: string): boolean {
  if (value === 'true') return true
  if (value === 'false') return false
  throw new Error('use true or false')
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function integer(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = /^-?\d+$/.test(value.trim()) ? Number(value) : Number.NaN
    if (!Number.isInteger(number) || number < min || number > max) {
      throw new Error(`use a whole number from ${min} to ${max}`)
    }
    return number
  }
}

function oneOf<T extends string>(...values: T[]): (value: string) => T {
  return (value) => {
    const found = values.find((candidate) => candidate === value)
    if (found === undefined) throw new Error(`use one of ${values.join(', ')}`)
    return found
  }
}

const optional = (env: string, about: string, secret = false): Entry<string | undefined> => ({
  env,
  read: text,
  default: undefined,
  secret,
  text: about,
})

/** `off`: no port. */
function portOrOff(value: string): number | 'off' {
  if (value === 'off') return 'off'
  try {
    return integer(0, 65_535)(value)
  } catch {
    throw new Error('use a port from 1 to 65535, 0 for any free one, or off')
  }
}

const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

/**
 * Every setting of the worker, each handed to `take`. Parsing, redaction and docs/configuration.md all go through
 * this one table.
 */
const settings = (take: <T>(entry: Entry<T>) => T) => ({
  databaseUrl: take(
    optional(
      'DATABASE_URL',
      'Postgres to use, `postgres://user:password@host:port/database`. Not set: an embedded Postgres in the data folder.',
      true,
    ),
  ),
  dataFolder: take({
    env: 'BPMN_RELAY_DATA_FOLDER',
    read: text,
    default: '.bpmn-relay',
    text: 'Folder for what is kept on this machine: the embedded Postgres and its master key.',
  }),
  masterKey: take(
    optional(
      'BPMN_RELAY_MASTER_KEY',
      'Key that secrets in Postgres are encrypted with: 32 bytes as base64, e.g. from `openssl rand -base64 32`. Not set: a key file in the data folder, made at first use, with the embedded Postgres only.',
      true,
    ),
  ),
  modulesFolder: take(
    optional(
      'BPMN_RELAY_MODULES_FOLDER',
      'Folder of the ES modules that adapters with serialization `custom` may run in this worker. Not set: none. Who may write there runs code in the worker.',
    ),
  ),
  databasePoolSize: take({
    env: 'BPMN_RELAY_DATABASE_POOL',
    read: integer(2, 100),
    default: 6,
    text: 'Connections to Postgres at most.',
  }),
  databaseTimeoutMs: take({
    env: 'BPMN_RELAY_DATABASE_TIMEOUT_MS',
    read: integer(100, 10 * MINUTE),
    default: 5000,
    text: 'Time limit of one statement, milliseconds.',
  }),
  engineName: take(
    optional(
      'BPMN_RELAY_ENGINE_NAME',
      'Name of the engine in ledger and request ids. Engines that share a database need different names. Not set: the address of the engine.',
    ),
  ),
  zeebeAddress: take({
    env: 'ZEEBE_ADDRESS',
    read: text,
    default: '127.0.0.1:26500',
    text: 'gRPC address of the Zeebe gateway, `host:port`.',
  }),
  zeebeSecure: take({
    env: 'ZEEBE_SECURE_CONNECTION',
    read: flag,
    default: false,
    text: 'Speak TLS to the gateway. With OAuth or Camunda SaaS it is always on.',
  }),
  zeebeRootCertsPath: take(
    optional('ZEEBE_CLIENT_SSL_ROOT_CERTS_PATH', 'PEM file of your own CA for the gateway.'),
  ),
  zeebeCertChainPath: take(
    optional('ZEEBE_CLIENT_SSL_CERT_CHAIN_PATH', 'PEM file of a client certificate for the gateway.'),
  ),
  zeebePrivateKeyPath: take(
    optional('ZEEBE_CLIENT_SSL_PRIVATE_KEY_PATH', "PEM file of that certificate's key."),
  ),
  zeebeClientId: take(optional('ZEEBE_CLIENT_ID', 'OAuth client id.')),
  zeebeClientSecret: take(optional('ZEEBE_CLIENT_SECRET', 'OAuth client secret.', true)),
  zeebeAuthUrl: take(
    optional(
      'ZEEBE_AUTHORIZATION_SERVER_URL',
      'OAuth token endpoint of a self-managed cluster. Not needed for Camunda SaaS.',
    ),
  ),
  zeebeAudience: take(
    optional('ZEEBE_TOKEN_AUDIENCE', 'OAuth audience. Not set: the host of ZEEBE_ADDRESS.'),
  ),
  zeebeScope: take(optional('ZEEBE_TOKEN_SCOPE', 'OAuth scope.')),
  zeebeClusterId: take(
    optional('ZEEBE_CAMUNDA_CLOUD_CLUSTER_ID', 'Cluster id on Camunda SaaS; replaces ZEEBE_ADDRESS.'),
  ),
  zeebeClusterRegion: take(
    optional('ZEEBE_CAMUNDA_CLOUD_CLUSTER_REGION', 'Region of that cluster, e.g. `bru-2`.'),
  ),
  tenantIds: take({
    env: 'ZEEBE_TENANT_ID',
    read: list,
    default: [],
    defaultText: 'the default tenant',
    text: 'Tenant whose jobs are taken, or several separated by commas; triggers start and correlate in the first. Only for clusters with multi-tenancy.',
  }),
  workerName: take({
    env: 'BPMN_RELAY_WORKER_NAME',
    read: text,
    default: defaultWorkerName(),
    defaultText: 'host name and process id',
    text: 'Name of this worker in the engine, the audit log and the counters; unique among workers.',
  }),
  kafkaTaskTypes: take({
    env: 'BPMN_RELAY_KAFKA_TASK_TYPES',
    read: list,
    default: [],
    defaultText: 'none',
    text: 'Further task types, besides `Kafka Producer`, that mean the same.',
  }),
  rocketmqTaskTypes: take({
    env: 'BPMN_RELAY_ROCKETMQ_TASK_TYPES',
    read: list,
    default: [],
    defaultText: 'none',
    text: 'Further task types, besides `RocketMQ Producer`, that mean the same.',
  }),
  maxInFlight: take({
    env: 'BPMN_RELAY_MAX_IN_FLIGHT',
    read: integer(1, 10_000),
    default: 512,
    text: 'Jobs in hand at any moment, over all task types and adapters.',
  }),
  jobTimeoutMs: take({
    env: 'BPMN_RELAY_JOB_TIMEOUT_MS',
    read: integer(5000, DAY),
    default: MINUTE,
    text: 'Time after which the engine hands a job to another worker, milliseconds.',
  }),
  shutdownGraceMs: take({
    env: 'BPMN_RELAY_SHUTDOWN_GRACE_MS',
    read: integer(0, 60 * MINUTE),
    default: 25_000,
    text: 'Time to finish the jobs in hand after SIGTERM, milliseconds.',
  }),
  ledgerRetentionDays: take({
    env: 'BPMN_RELAY_LEDGER_RETENTION_DAYS',
    read: integer(1, 3650),
    default: 30,
    text: 'Days a publish is remembered whose job was never settled. Within them a redelivery is not sent again. Those of audited adapters are remembered by the audit log, and no longer than that is kept.',
  }),
  triggerLedgerRetentionDays: take({
    env: 'BPMN_RELAY_TRIGGER_LEDGER_RETENTION_DAYS',
    read: integer(1, 3650),
    default: 7,
    text: 'Days a message is remembered that a trigger has handled. Within them a redelivery is not handled again: keep them at least as long as brokers keep messages that are redelivered.',
  }),
  deadLetterRetentionDays: take({
    env: 'BPMN_RELAY_DEAD_LETTER_RETENTION_DAYS',
    read: integer(1, 3650),
    default: 30,
    text: 'Days a dead letter is kept after it was replayed or discarded. Those that wait are kept.',
  }),
  slaMinuteRetentionDays: take({
    env: 'BPMN_RELAY_SLA_MINUTE_RETENTION_DAYS',
    read: integer(1, 3650),
    default: 3,
    text: 'Days the SLA counters are kept by minute.',
  }),
  slaHourRetentionDays: take({
    env: 'BPMN_RELAY_SLA_HOUR_RETENTION_DAYS',
    read: integer(1, 3650),
    default: 92,
    text: 'Days the SLA counters are kept by hour.',
  }),
  slaDayRetentionDays: take({
    env: 'BPMN_RELAY_SLA_DAY_RETENTION_DAYS',
    read: integer(1, 36_500),
    default: 1100,
    text: 'Days the SLA counters are kept by day (UTC).',
  }),
  httpPort: take<number | 'off'>({
    env: 'BPMN_RELAY_HTTP_PORT',
    read: portOrOff,
    default: 8787,
    text: 'Port that `start` answers `/healthz`, `/readyz` and `/metrics` on. `0`: any free one, told in the log; `off`: none. Workers of one machine need different ones.',
  }),
  httpHost: take({
    env: 'BPMN_RELAY_HTTP_HOST',
    read: text,
    default: '127.0.0.1',
    text: 'Address that port is opened on. `0.0.0.0` or `::` lets other machines in; there is no login.',
  }),
  auditRetentionDays: take({
    env: 'BPMN_RELAY_AUDIT_RETENTION_DAYS',
    read: integer(1, 36_500),
    default: 365,
    text: 'Days (UTC) the audit log is kept, besides the current one, and alerts after they are resolved. Older ones are dropped.',
  }),
  auditArchiveFolder: take(
    optional(
      'BPMN_RELAY_AUDIT_ARCHIVE_FOLDER',
      'Folder where days of the audit log are kept, as `.ndjson.gz`, before they are dropped; of the worker that drops them, so best one that all share. Not set: nowhere.',
    ),
  ),
  auditCapture: take<'none' | 'headers' | 'full'>({
    env: 'BPMN_RELAY_AUDIT_CAPTURE',
    read: oneOf('none', 'headers', 'full'),
    default: 'full',
    text: 'What audit log and file log keep of requests: `none`, `headers` (all but the message) or `full`.',
  }),
  auditCaptureChars: take({
    env: 'BPMN_RELAY_AUDIT_CAPTURE_CHARS',
    read: integer(100, 1_000_000),
    default: 8192,
    text: 'Characters of a message they keep at most; of a longer one its start and its length.',
  }),
  auditMaskNames: take({
    env: 'BPMN_RELAY_AUDIT_MASK_NAMES',
    read: list,
    default: list(
      'password,passwd,passphrase,secret,token,authorization,credential,credentials,api key,access key,private key,cookie',
    ),
    text: 'Members of requests and headers that they keep as `***`: those with such a name or one that ends so, as `userPassword`. Case does not count, nor what stands between words: `api key` is `X-Api-Key` too. Replaces the default; `,` alone: none.',
  }),
  auditMaskPaths: take({
    env: 'BPMN_RELAY_AUDIT_MASK_PATHS',
    read: list,
    default: [],
    defaultText: 'none',
    text: 'Places in requests that they keep as `***`, such as `$.message.card.number,$.message.items[*].iban,$.key`.',
  }),
  fileLogFolder: take(
    optional(
      'BPMN_RELAY_FILE_LOG_FOLDER',
      'Folder of the file log: what calls through adapters with `--log-results` returned. Not set: `logs` in the data folder.',
    ),
  ),
  fileLogMaxBytes: take({
    env: 'BPMN_RELAY_FILE_LOG_MAX_BYTES',
    read: integer(10_000, 2 ** 31),
    default: 20 * 1024 * 1024,
    text: 'Size of one file of the file log at most, bytes.',
  }),
  fileLogFiles: take({
    env: 'BPMN_RELAY_FILE_LOG_FILES',
    read: integer(1, 10_000),
    default: 20,
    text: 'Files of the file log a worker keeps at most; the oldest goes first.',
  }),
  spoolDir: take(
    optional(
      'BPMN_RELAY_SPOOL_DIR',
      'Folder on a durable volume where records wait while Postgres is away, so that publishing goes on; each worker has a folder of its BPMN_RELAY_WORKER_NAME in it, which must then be set. Not set: nothing is published while Postgres is away.',
    ),
  ),
  spoolMaxBytes: take({
    env: 'BPMN_RELAY_SPOOL_MAX_BYTES',
    read: integer(1_000_000, 2 ** 40),
    default: 1024 ** 3,
    text: 'Bytes that may wait in the spool of a worker; beyond them jobs are held. Those in hand are still recorded.',
  }),
  logLevel: take<LogLevel>({
    env: 'BPMN_RELAY_LOG_LEVEL',
    read: oneOf<LogLevel>('error', 'warn', 'info', 'debug'),
    default: 'info',
    text: 'Least important messages to log: error, warn, info or debug.',
  }),
  logFormat: take<'json' | 'text'>({
    env: 'BPMN_RELAY_LOG_FORMAT',
    read: oneOf('text', 'json'),
    default: 'text',
    text: '`text` for people, `json` for machines.',
  }),
})

export type Config = ReturnType<typeof settings>

/** The table as data, in order, for documentation. */
export function configEntries(): Entry<unknown>[] {
  const entries: Entry<unknown>[] = []
  settings((entry) => {
    entries.push({ ...entry, read: entry.read })
    return entry.default
  })
  return entries
}

/**
 * The configuration of an environment, defaults filled in. An empty variable counts as not set.
 * @throws RelayError CONFIG_INVALID naming each wrong variable and what would be right.
 */
export function readConfig(env: NodeJS.ProcessEnv): Config {
  const problems: string[] = []
  const config = settings((entry) => {
    const given = env[entry.env]
    if (given === undefined || given === '') return entry.default
    try {
      return entry.read(given)
    } catch (cause) {
      problems.push(
        `${entry.env} is ${entry.secret ? '(secret)' : JSON.stringify(given)}: ${messageOf(cause)}`,
      )
      return entry.default
    }
  })
  if (problems.length > 0) throw new RelayError('CONFIG_INVALID', problems.join('; '))
  return config
}
