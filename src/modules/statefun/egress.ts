import { Type } from 'typebox'
import type { Declarations } from '../declarations.js'
import { type Component, nameOf, readComponent } from './component.js'
import { PropertiesSchema, propertiesOf, settingsFromProperties } from './properties.js'

const Egress = Type.Object({
  address: Type.Optional(Type.String({ minLength: 1 })),
  deliverySemantic: Type.Optional(
    Type.Object({
      type: Type.Enum(['none', 'at-least-once', 'exactly-once']),
      transactionTimeoutMillis: Type.Optional(Type.Union([Type.Number(), Type.String()])),
      transactionTimeout: Type.Optional(Type.String()),
    }),
  ),
  properties: Type.Optional(PropertiesSchema),
})

/** An adapter that service tasks publish through. */
export function declareEgress(component: Component, read: Declarations): void {
  const egress = readComponent(component, Egress, read)
  if (!egress) return
  const { id, spec, warn, refuse, declare } = egress
  const properties = propertiesOf(spec.properties)
  const address = spec.address ?? properties['bootstrap.servers']
  if (address === undefined) {
    refuse([], `egress ${id} has no address: give the bootstrap servers as host:port`)
    return
  }
  const semantic = spec.deliverySemantic
  const type = semantic?.type ?? 'at-least-once'
  const timeout = semantic?.transactionTimeoutMillis ?? semantic?.transactionTimeout
  const timeoutText = timeout === undefined ? '' : `; its transaction timeout of ${timeout} has no effect`
  if (type === 'exactly-once') {
    warn(
      ['deliverySemantic'],
      `exactly-once of egress ${id} is not available yet: at-least-once is taken instead, so that messages may be duplicated${timeoutText}`,
    )
  } else if (timeout !== undefined) {
    warn(['deliverySemantic'], `egress ${id} is ${type}${timeoutText}`)
  }
  const isTaken = read.all.some(({ section, name }) => section === 'adapters' && name === nameOf(id))
  const name = isTaken ? `${nameOf(id)}.egress` : nameOf(id)
  if (isTaken) {
    warn(
      [],
      `egress ${id} becomes adapter "${name}", as the ingress of the same id is adapter "${nameOf(id)}"`,
    )
  }
  declare('adapters', {
    name,
    kind: 'kafka',
    address: String(address),
    description: `StateFun egress ${id}`,
    settings: {
      deliverySemantic: type === 'exactly-once' ? 'at-least-once' : type,
      ...settingsFromProperties(properties, 'producer', ['bootstrap.servers'], egress),
    },
  })
}
