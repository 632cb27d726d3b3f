import { format } from 'node:util'
import MQClientAPI from 'ali-ons/lib/mq_client_api.js'
import type { Log } from '../../core/log.js'
import type { RocketmqSettings } from './settings.js'

/** The request layer of ali-ons; it connects to a server with the first request for it. */
export function openClient(settings: RocketmqSettings, log: Log): MQClientAPI {
  const { addresses, accessKey, secretKey, connectTimeoutMs } = settings
  const client = new MQClientAPI({
    nameSrv: addresses,
    httpclient: {},
    logger: quiet(log),
    connectTimeout: connectTimeoutMs,
    ...(accessKey && secretKey && { accessKey, secretKey }),
  })
  client.on('error', (error) => log.debug('a connection to RocketMQ failed', { error: String(error) }))
  return client
}

export async function closeClient(client: MQClientAPI): Promise<void> {
  await client.ready()
  await client.close()
  // Closing removes all listeners, and an error event nobody listens to ends the process.
  client.on('error', () => undefined)
}

/** What the library has to tell also arrives as errors of its calls, so its log is for debugging only. */
function quiet(log: Log) {
  const debug = (...args: unknown[]) => log.debug(format(...args))
  return { debug, info: debug, warn: debug, error: debug }
}
