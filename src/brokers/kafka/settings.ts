import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import type { RelayError } from '../../core/errors.js'
import { settingsInvalid } from './errors.js'
import { parseGuarantees } from './guarantees.js'
import { withProperties } from './properties.js'
import { checkSasl } from './sasl.js'
import { kafkaSettingsSchema } from './settings-schema.js'
import { checkTls } from './tls.js'

/** What a Kafka adapter is set to, whichever names it was given by. */
export type KafkaSettings = Omit<Static<typeof kafkaSettingsSchema>, 'properties'> & {
  /** `host:port`, at least one. */
  bootstrapServers: string[]
}

/** @throws RelayError SETTINGS_INVALID */
export function parseKafkaSettings(address: string, given: Record<string, unknown>): KafkaSettings {
  const bootstrapServers = parseBootstrapServers(address)
  const { named, origins } = withProperties(given)
  const settings = Value.Default(kafkaSettingsSchema, Value.Convert(kafkaSettingsSchema, Value.Clone(named)))
  if (!Value.Check(kafkaSettingsSchema, settings)) throw schemaViolation(settings, origins)
  checkTls(settings.ssl)
  checkSasl(settings.sasl)
  checkFlush(settings.flush)
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

function schemaViolation(settings: unknown, origins: ReadonlyMap<string, string>): RelayError {
  const [error] = Value.Errors(kafkaSettingsSchema, settings)
  if (!error) return settingsInvalid('settings are invalid')
  const path = error.instancePath.slice(1).replaceAll('/', '.') || 'settings'
  const origin = origins.get(path)
  const field = origin === undefined ? path : `${path} (properties.${origin})`
  if (error.keyword === 'boolean') {
    return settingsInvalid(`${field} is not a setting of a Kafka adapter: remove it or correct its name`)
  }
  const value = Value.Pointer.Get(settings, error.instancePath)
  // A text may be a secret in the wrong place; one that had to be chosen from a list is none.
  const isShown = error.keyword === 'enum' || typeof value === 'number' || typeof value === 'boolean'
  const params = JSON.stringify(error.params)
  return settingsInvalid(
    `${field}${isShown ? ` ${JSON.stringify(value)}` : ''} ${error.message}${params === '{}' ? '' : `: ${params}`}`,
  )
}
