import { readFileSync } from 'node:fs'
import { ZBClient } from 'zeebe-node'
import type { Config } from '../core/config.js'
import { messageOf, RelayError } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { endsWithin } from '../core/time-limit.js'

/** Longest wait of one poll at the gateway: bounds how long stopping takes. */
export const LONG_POLL_MS = 1000
/** The client ends a stream by itself this long after its start, without cancelling it; our own limit comes first. */
const CLIENT_POLL_LIMIT_MS = LONG_POLL_MS + 20_000

/** The client waits without limit for its channel, and for ever when that fails. */
const CLOSE_LIMIT_MS = 3000

export type ZeebeOptions = Pick<
  Config,
  | 'engineName'
  | 'zeebeAddress'
  | 'zeebeSecure'
  | 'zeebeRootCertsPath'
  | 'zeebeCertChainPath'
  | 'zeebePrivateKeyPath'
  | 'zeebeClientId'
  | 'zeebeClientSecret'
  | 'zeebeAuthUrl'
  | 'zeebeAudience'
  | 'zeebeScope'
  | 'zeebeClusterId'
  | 'zeebeClusterRegion'
  | 'tenantIds'
  | 'workerName'
>

/** A client for the gateway of a configuration. Connects with the first call; calls have no time limit and no retries. */
export function createZeebeClient(options: ZeebeOptions, log: Log): ZBClient {
  const { zeebeClientId, zeebeClientSecret, zeebeAuthUrl, zeebeClusterId, zeebeClusterRegion } = options
  const shared = {
    // Ours: bounded, and only for what can succeed later.
    retry: false,
    loglevel: 'ERROR' as const,
    stdout: clientLog(log),
    longPoll: CLIENT_POLL_LIMIT_MS,
    useTLS: options.zeebeSecure || zeebeClusterId !== undefined || zeebeAuthUrl !== undefined,
    customSSL: {
      ...(options.zeebeRootCertsPath
        ? { rootCerts: readPem('ZEEBE_CLIENT_SSL_ROOT_CERTS_PATH', options.zeebeRootCertsPath) }
        : {}),
      ...(options.zeebeCertChainPath
        ? { certChain: readPem('ZEEBE_CLIENT_SSL_CERT_CHAIN_PATH', options.zeebeCertChainPath) }
        : {}),
      ...(options.zeebePrivateKeyPath
        ? { privateKey: readPem('ZEEBE_CLIENT_SSL_PRIVATE_KEY_PATH', options.zeebePrivateKeyPath) }
        : {}),
    },
  }
  if (zeebeClusterId === undefined && zeebeAuthUrl === undefined)
    return new ZBClient(options.zeebeAddress, shared)
  if (zeebeClientId === undefined || zeebeClientSecret === undefined) {
    throw new RelayError(
      'CONFIG_INVALID',
      'OAuth needs ZEEBE_CLIENT_ID and ZEEBE_CLIENT_SECRET beside ZEEBE_AUTHORIZATION_SERVER_URL or ZEEBE_CAMUNDA_CLOUD_CLUSTER_ID',
    )
  }
  const credentials = { clientId: zeebeClientId, clientSecret: zeebeClientSecret, cacheOnDisk: false }
  if (zeebeClusterId !== undefined) {
    const region = zeebeClusterRegion ? { clusterRegion: zeebeClusterRegion } : {}
    return new ZBClient({ ...shared, camundaCloud: { ...credentials, clusterId: zeebeClusterId, ...region } })
  }
  const oAuth = {
    ...credentials,
    url: zeebeAuthUrl ?? '',
    audience: options.zeebeAudience ?? options.zeebeAddress.split(':')[0] ?? '',
    ...(options.zeebeScope ? { scope: options.zeebeScope } : {}),
  }
  return new ZBClient(options.zeebeAddress, { ...shared, oAuth })
}

/** Closes a client as well as it lets itself be closed; never rejects. */
export async function closeZeebeClient(client: ZBClient): Promise<void> {
  await endsWithin(client.close(), CLOSE_LIMIT_MS)
}

function readPem(variable: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new RelayError(
      'CONFIG_INVALID',
      `${variable} is "${file}", which cannot be read: ${messageOf(cause)}`,
      { cause },
    )
  }
}

/** The client repeats on its log what its calls throw; a copy for those who look for it is enough. */
function clientLog(log: Log) {
  return {
    error: (message: string) => log.debug('zeebe client', { message }),
    info: (message: string) => log.debug('zeebe client', { message }),
    debug: (message: string) => log.debug('zeebe client', { message }),
  }
}

// gRPC status codes, https://grpc.github.io/grpc/core/md_doc_statuscodes.html
export const GRPC = {
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const

/** The gRPC status in an error of the client. */
export function statusOf(error: unknown): number | undefined {
  if (error === null || typeof error !== 'object' || !('code' in error)) return undefined
  return typeof error.code === 'number' ? error.code : undefined
}

export function engineUnreachable(address: string, cause: unknown): RelayError {
  return new RelayError(
    'ENGINE_UNREACHABLE',
    `the engine at ${address} cannot be reached: ${messageOf(cause)}`,
    { cause },
  )
}
