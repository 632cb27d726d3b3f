import { type Static, Type } from 'typebox'
import type { Declarations } from '../declarations.js'
import { STARTUP_POSITION } from '../format.js'
import { type Component, nameOf, type ReadComponent, readComponent } from './component.js'
import { PropertiesSchema, propertiesOf, settingsFromProperties } from './properties.js'

const Topic = Type.Object({
  topic: Type.String({ minLength: 1 }),
  typeUrl: Type.Optional(Type.String()),
  valueType: Type.Optional(Type.String()),
  targets: Type.Array(Type.String({ minLength: 1 })),
})

const Ingress = Type.Object({
  address: Type.Optional(Type.String({ minLength: 1 })),
  consumerGroupId: Type.Optional(Type.String({ minLength: 1 })),
  topics: Type.Array(Topic),
  startupPosition: Type.Optional(STARTUP_POSITION),
  autoOffsetResetPosition: Type.Optional(Type.Enum(['latest', 'earliest', 'LATEST', 'EARLIEST'])),
  properties: Type.Optional(PropertiesSchema),
})

/** Properties that fields of an ingress stand for. */
const NAMED = ['bootstrap.servers', 'group.id', 'auto.offset.reset']

/** An adapter for the brokers, and for each topic and target a trigger with a consumer group of its own. */
export function declareIngress(component: Component, read: Declarations): void {
  const ingress = readComponent(component, Ingress, read)
  if (!ingress) return
  const { id, spec, refuse, declare } = ingress
  const properties = propertiesOf(spec.properties)
  const address = spec.address ?? properties['bootstrap.servers']
  const group = spec.consumerGroupId ?? properties['group.id']
  if (address === undefined) {
    refuse([], `ingress ${id} has no address: give the bootstrap servers as host:port`)
  }
  if (group === undefined) refuse([], `ingress ${id} has no consumerGroupId: give it one`)
  if (address === undefined || group === undefined) return
  const reset = String(spec.autoOffsetResetPosition ?? properties['auto.offset.reset'] ?? 'latest')

  const adapter = nameOf(id)
  declare('adapters', {
    name: adapter,
    kind: 'kafka',
    address: String(address),
    description: `StateFun ingress ${id}`,
    settings: settingsFromProperties(properties, 'consumer', NAMED, ingress),
    valueSerialization: 'bytes',
  })
  tellOfOffsets(ingress)
  const groups: string[] = []
  for (const [index, { topic, targets, ...types }] of spec.topics.entries()) {
    tellOfType(index, types, ingress)
    for (const { processId, target } of processesOf(index, targets, ingress)) {
      // Each must see every message, and a group can only be moved while it has no other member.
      const own = groups.length === 0 ? String(group) : `${group}.${topic}.${processId}`
      groups.push(own)
      declare('triggers', {
        name: `${adapter}.${nameOf(topic)}.${nameOf(processId)}`,
        description: `StateFun ingress ${id}: ${topic} to ${target}`,
        adapter,
        topics: [topic],
        group: own,
        action: { kind: 'start', processId },
        initialOffset: reset.toLowerCase(),
        startupPosition: positionOf(topic, spec.startupPosition),
      })
    }
  }
  tellOfGroups(groups, ingress)
}

type ReadIngress = ReadComponent<Static<typeof Ingress>>

/** `namespace/function` is the process `function`. */
function processesOf(index: number, targets: readonly string[], { warn }: ReadIngress) {
  const processes: { processId: string; target: string }[] = []
  for (const [at, target] of targets.entries()) {
    const processId = target.slice(target.lastIndexOf('/') + 1)
    const twin = processes.find((each) => each.processId === processId)
    if (twin === undefined) processes.push({ processId, target })
    else {
      warn(
        ['topics', index, 'targets', at],
        `target ${target} is the process ${processId}, as ${twin.target} is: it is started once`,
      )
    }
  }
  if (targets.length === 0) warn(['topics', index], 'the topic has no targets, so nothing listens to it')
  return processes
}

/** Offsets of other topics are those of other triggers; a topic without any begins where its group stands. */
function positionOf(topic: string, position: ReadIngress['spec']['startupPosition']) {
  if (position?.type !== 'specific-offsets') return position ?? { type: 'group-offsets' }
  const offsets =
    position.offsets?.filter((each) => Object.keys(each).some((key) => topicOf(key) === topic)) ?? []
  return offsets.length > 0 ? { ...position, offsets } : { type: 'group-offsets' }
}

function tellOfOffsets({ spec, warn }: ReadIngress): void {
  for (const [index, each] of (spec.startupPosition?.offsets ?? []).entries()) {
    for (const key of Object.keys(each)) {
      if (spec.topics.some(({ topic }) => topic === topicOf(key))) continue
      warn(
        ['startupPosition', 'offsets', index],
        `offset of ${key} is of no topic of this ingress, and is left out`,
      )
    }
  }
}

function topicOf(partition: string): string {
  return partition.slice(0, Math.max(0, partition.lastIndexOf('/')))
}

function tellOfType(
  index: number,
  { typeUrl, valueType }: Pick<Static<typeof Topic>, 'typeUrl' | 'valueType'>,
  { spec, warn }: ReadIngress,
): void {
  const type = valueType ?? typeUrl
  const field = valueType === undefined ? 'typeUrl' : 'valueType'
  const place = ['topics', index, ...(type === undefined ? [] : [field])]
  const what = type === undefined ? 'values without a type' : `values of ${type}`
  // Types of StateFun itself are Protobuf messages on the wire, texts and numbers too.
  const why = type?.startsWith('io.statefun.types/')
    ? 'they are Protobuf messages without a schema registry, which no serialization here reads'
    : 'nothing here says how to read their bytes'
  warn(
    place,
    `topic ${spec.topics[index]?.topic} hands over ${what} as base64 text: ${why}; docs/modules.md tells how to change that`,
  )
}

function tellOfGroups([first, ...others]: string[], { spec, warn }: ReadIngress): void {
  if (others.length === 0) return
  warn(
    [spec.consumerGroupId === undefined ? 'properties' : 'consumerGroupId'],
    `consumer group ${first} is that of the first topic and target; the others have groups of their own, so that all get every message: ${others.join(', ')}`,
  )
}
