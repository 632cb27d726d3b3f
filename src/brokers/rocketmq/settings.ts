import type { Static } from 'typebox'
import { readSettings, settingsInvalid } from '../settings.js'
import { checkTls } from '../tls.js'
import { parseDelayLevels } from './delay-levels.js'
import { HONOURED_PROPERTIES, REFUSED_PROPERTIES } from './properties.js'
import { rocketmqSettingsSchema } from './settings-schema.js'

const DEFAULT_PRODUCER_GROUP = 'bpmn-relay'
const DEFAULT_THREADS = 20

type Given = Static<typeof rocketmqSettingsSchema>

export type Protocol = Given['protocol']

/** What a RocketMQ adapter is set to, whichever names it was given by. */
export type RocketmqSettings = Omit<Given, 'properties' | 'producerGroup' | 'delayLevels'> & {
  /** Name servers (remoting) or the one proxy (grpc), each `host:port`. */
  addresses: string[]
  producerGroup: string
  /** Milliseconds of delay level 1 and those after it. */
  delayLevels: number[]
}

/** @throws RelayError SETTINGS_INVALID naming the field, its value and the cure. */
export function parseSettings(address: string, given: Record<string, unknown>): RocketmqSettings {
  const { settings, named } = readSettings(given, {
    of: 'a RocketMQ adapter',
    schema: rocketmqSettingsSchema,
    honoured: HONOURED_PROPERTIES,
    refused: REFUSED_PROPERTIES,
  })
  const { properties: _, producerGroup = DEFAULT_PRODUCER_GROUP, delayLevels, ...rest } = settings
  checkCredentials(settings)
  checkTls(settings.ssl)
  refuseWhatTheProtocolLacks(settings, named)
  return {
    ...rest,
    ...threads(settings),
    producerGroup,
    delayLevels: parseDelayLevels(delayLevels),
    addresses: parseAddresses(address, settings.protocol),
  }
}

/** The name a topic or group has on the server. */
export function withNamespace(name: string, { namespace }: Pick<RocketmqSettings, 'namespace'>): string {
  return namespace === undefined ? name : `${namespace}%${name}`
}

function checkCredentials({ accessKey, secretKey }: Given): void {
  if ((accessKey === undefined) === (secretKey === undefined)) return
  const [given, missing] = accessKey === undefined ? ['secretKey', 'accessKey'] : ['accessKey', 'secretKey']
  throw settingsInvalid(`${given} is set but ${missing} is not: set both, or neither`)
}

function refuseWhatTheProtocolLacks(settings: Given, named: Record<string, unknown>): void {
  const { protocol, ssl, producerGroup, compressOverBytes } = settings
  if (protocol === 'remoting') {
    if (ssl.enabled) {
      throw settingsInvalid(
        'ssl.enabled is true, but protocol "remoting" has no TLS here: use protocol "grpc" with the address of a ' +
          'proxy, or set ssl.enabled to false',
      )
    }
    if (named.delayLevels !== undefined) {
      throw settingsInvalid(
        'delayLevels is set, but over protocol "remoting" the broker itself knows what a delay level means ' +
          '(messageDelayLevel in its configuration): leave it out',
      )
    }
    return
  }
  if (producerGroup !== undefined) {
    throw settingsInvalid(
      `producerGroup is "${producerGroup}", but protocol "grpc" has no producer groups: leave it out`,
    )
  }
  if (compressOverBytes > 0) {
    throw settingsInvalid(
      `compressOverBytes is ${compressOverBytes}, but over protocol "grpc" no compressed body can be read by consumers of both ` +
        'protocols: leave it out, or use protocol "remoting"',
    )
  }
}

function threads({ consumeThreadMin, consumeThreadMax }: Given) {
  const [least, most] = [consumeThreadMin || DEFAULT_THREADS, consumeThreadMax || DEFAULT_THREADS]
  if (least <= most) return { consumeThreadMin: least, consumeThreadMax: most }
  const text = (value: number, meant: number) => `${value}${value === meant ? '' : ` (that is ${meant})`}`
  throw settingsInvalid(
    `consumeThreadMin ${text(consumeThreadMin, least)} is above consumeThreadMax ${text(consumeThreadMax, most)}: ` +
      'lower it or raise consumeThreadMax',
  )
}

function parseAddresses(address: string, protocol: Protocol): string[] {
  const addresses = address
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  const expected =
    protocol === 'remoting'
      ? 'the name servers as host:port;host:port, such as "10.0.0.1:9876;10.0.0.2:9876"'
      : 'one gRPC proxy as host:port, such as "rocketmq-proxy:8081"'
  if (addresses.length === 0) throw settingsInvalid(`address is empty: give ${expected}`)
  for (const part of addresses) {
    const port = Number(/^[^\s:,/]+:(\d{1,5})$/.exec(part)?.[1])
    if (!(port >= 1 && port <= 65_535)) {
      throw settingsInvalid(`address "${part}" is not host:port: give ${expected}`)
    }
  }
  if (protocol === 'grpc' && addresses.length > 1) {
    throw settingsInvalid(
      `address "${address}" names ${addresses.length} proxies: give ${expected}, or a load balancer`,
    )
  }
  return addresses
}
