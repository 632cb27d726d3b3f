import type { Static } from 'typebox'
import { readSettings, settingsInvalid } from '../settings.js'
import { checkTls } from '../tls.js'
import { CONSUMER_PROPERTIES } from './consumer-properties.js'
import { checkConsumer } from './consumer-settings.js'
import { parseGuarantees } from './guarantees.js'
import { HONOURED_PROPERTIES, REFUSED_PROPERTIES } from './properties.js'
import { checkSasl } from './sasl.js'
import { kafkaSettingsSchema } from './settings-schema.js'

/** What a Kafka adapter is set to, whichever names it was given by. */
export type KafkaSettings = Omit<Static<typeof kafkaSettingsSchema>, 'properties'> & {
  /** `host:port`, at least one. */
  bootstrapServers: string[]
}

/** @throws RelayError SETTINGS_INVALID */
export function parseKafkaSettings(address: string, given: Record<string, unknown>): KafkaSettings {
  const bootstrapServers = parseBootstrapServers(address)
  const { settings, named } = readSettings(given, {
    of: 'a Kafka adapter',
    schema: kafkaSettingsSchema,
    honoured: HONOURED_PROPERTIES,
    refused: REFUSED_PROPERTIES,
    groups: { consumer: CONSUMER_PROPERTIES },
  })
  checkLogin(settings)
  checkTls(settings.ssl)
  checkSasl(settings.sasl)
  checkFlush(settings.flush)
  checkConsumer(settings.consumer)
  if (settings.retryBackoffMaxMs < settings.retryBackoffMs) {
    throw settingsInvalid(
      `retryBackoffMaxMs ${settings.retryBackoffMaxMs} is below retryBackoffMs ${settings.retryBackoffMs}: raise it, or lower retryBackoffMs`,
    )
  }
  return { ...settings, ...parseGuarantees(settings, named), bootstrapServers }
}

function parseBootstrapServers(address: string): string[] {
  const servers = address
    .split(',')
    .map((server) => server.trim())
    .filter((server) => server !== '')
  if (servers.length === 0) {
    throw settingsInvalid(
      'address is empty: give the bootstrap servers as host:port, several separated by commas',
    )
  }
  for (const server of servers) {
    const [, port] = /^(?:[^\s:/@[\]]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(server) ?? []
    if (port === undefined || Number(port) < 1 || Number(port) > 65_535) {
      throw settingsInvalid(
        `address names the bootstrap server "${server}", which is not host:port: write it like kafka.example.com:9092`,
      )
    }
  }
  return servers
}

/** The name of a protocol says that there is a login, but not which. */
function checkLogin({ properties = {}, sasl }: Static<typeof kafkaSettingsSchema>): void {
  const protocol = String(properties['security.protocol'] ?? '')
  if (sasl !== undefined || !/^SASL_/i.test(protocol)) return
  throw settingsInvalid(
    `properties.security.protocol ${protocol} asks for a login, but sasl is not set: set sasl.mechanism and what belongs to it`,
  )
}

/** The interval is the only timer: without it a message could wait for others for ever. */
function checkFlush({ intervalMs, messages, bytes, maxMessages }: KafkaSettings['flush']): void {
  for (const [name, value] of Object.entries({ messages, bytes })) {
    if (value > 0 && intervalMs === 0) {
      throw settingsInvalid(
        `flush.${name} is ${value} but flush.intervalMs is 0: set flush.intervalMs to the longest time a message may wait for others, or flush.${name} to 0`,
      )
    }
  }
  if (maxMessages > 0 && messages > maxMessages) {
    throw settingsInvalid(
      `flush.messages ${messages} is above flush.maxMessages ${maxMessages}: a send never holds that many; lower it or raise flush.maxMessages`,
    )
  }
}
