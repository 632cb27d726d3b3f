import { type RocketmqSettings, withNamespace } from './settings.js'

/** Of topics that belong to a consumer group: those it gets messages from once more, and those it gave up. */
export const RETRY_PREFIX = '%RETRY%'
export const DEAD_LETTER_PREFIX = '%DLQ%'

/** The name on the servers of a topic or group, the retry and dead-letter topics of a group included. */
export function serverName(name: string, settings: RocketmqSettings): string {
  const prefix = groupPrefix(name)
  return prefix + withNamespace(name.slice(prefix.length), settings)
}

/** The name an adapter knows it by; undefined: it belongs to another namespace. */
export function adapterName(name: string, { namespace }: RocketmqSettings): string | undefined {
  if (namespace === undefined) return name
  const prefix = groupPrefix(name)
  const rest = name.slice(prefix.length)
  return rest.startsWith(`${namespace}%`) ? prefix + rest.slice(namespace.length + 1) : undefined
}

function groupPrefix(name: string): string {
  return [RETRY_PREFIX, DEAD_LETTER_PREFIX].find((prefix) => name.startsWith(prefix)) ?? ''
}
