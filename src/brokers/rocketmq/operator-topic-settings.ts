import { Type } from 'typebox'
import { RelayError } from '../../core/errors.js'
import type { TopicChange, TopicConfig } from '../operator.js'
import { DEAD_LETTER_PREFIX, RETRY_PREFIX } from './operator-names.js'

/** What a topic is opened for, on one broker. */
export const READ = 0b100
export const WRITE = 0b010
/** Name of the one attribute that tells the type of a topic. */
export const TYPE_ATTRIBUTE = 'message.type'
const MOST_QUEUES = 65_536

/** Of a topic on one broker, as brokers tell it. */
export const TopicSettings = Type.Object({
  readQueueNums: Type.Integer(),
  writeQueueNums: Type.Integer(),
  perm: Type.Integer(),
  order: Type.Optional(Type.Boolean()),
  topicSysFlag: Type.Optional(Type.Integer()),
  /** Absent before RocketMQ 5. */
  attributes: Type.Optional(Type.Record(Type.String(), Type.String())),
})
export type TopicSettings = Type.Static<typeof TopicSettings>

/** Null where brokers have no types. */
export function typeOf(topic: string, attributes: Record<string, string> | undefined): string | null {
  if (topic.startsWith(RETRY_PREFIX)) return 'RETRY'
  if (topic.startsWith(DEAD_LETTER_PREFIX)) return 'DLQ'
  return attributes === undefined ? null : (attributes[TYPE_ATTRIBUTE] ?? 'NORMAL')
}

export function configsOf({
  perm,
  readQueueNums,
  writeQueueNums,
  order,
  attributes = {},
}: TopicSettings): TopicConfig[] {
  const permissions = [...((perm & READ) !== 0 ? ['read'] : []), ...((perm & WRITE) !== 0 ? ['write'] : [])]
  const configs = {
    perm: permissions.join(',') || 'none',
    readQueueNums: String(readQueueNums),
    writeQueueNums: String(writeQueueNums),
    order: String(order ?? false),
    ...attributes,
  }
  return Object.entries(configs).map(([name, value]) => ({ name, value, isOverridden: true }))
}

/** The settings after a change, and the changes of attributes as brokers take them. @throws RelayError INPUT_INVALID */
export function changed(
  before: TopicSettings,
  { partitions, configs, removedConfigs }: TopicChange,
): { settings: TopicSettings; attributes: string[] } {
  const settings = {
    readQueueNums: partitions ?? before.readQueueNums,
    writeQueueNums: partitions ?? before.writeQueueNums,
    perm: before.perm,
    order: before.order ?? false,
    topicSysFlag: before.topicSysFlag ?? 0,
  }
  const attributes: string[] = []
  for (const [name, value] of Object.entries(configs)) {
    switch (name) {
      case 'readQueueNums':
      case 'writeQueueNums':
        settings[name] = countOf(name, value)
        break
      case 'perm':
        settings.perm = permissionOf(value)
        break
      case 'order':
        if (value !== 'true' && value !== 'false')
          throw invalid(`config order is "${value}": use true or false`)
        settings.order = value === 'true'
        break
      default:
        attributes.push(`+${name}=${value}`)
    }
  }
  for (const name of removedConfigs) {
    if (name in settings) throw invalid(`config ${name} has no default to go back to: set it`)
    attributes.push(`-${name}`)
  }
  return { settings, attributes }
}

function countOf(name: string, text: string): number {
  const count = Number(text)
  if (/^\d+$/.test(text) && count >= 1 && count <= MOST_QUEUES) return count
  throw invalid(`config ${name} is "${text}": use a whole number from 1 to ${MOST_QUEUES}`)
}

function permissionOf(text: string): number {
  switch (text) {
    case 'read':
      return READ
    case 'write':
      return WRITE
    case 'read,write':
      return READ | WRITE
    default:
      throw invalid(`config perm is "${text}": use read, write or read,write`)
  }
}

function invalid(text: string): RelayError {
  return new RelayError('INPUT_INVALID', text)
}
