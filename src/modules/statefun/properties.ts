import { Type } from 'typebox'
import { CONSUMER_PROPERTIES } from '../../brokers/kafka/consumer-properties.js'
import { HONOURED_PROPERTIES, REFUSED_PROPERTIES } from '../../brokers/kafka/properties.js'
import type { ReadComponent } from './component.js'

const Scalar = Type.Union([Type.String(), Type.Number(), Type.Boolean()])
const ByName = Type.Record(Type.String(), Scalar)

/** As StateFun has them, a list of one-entry maps; one map will do. */
export const PropertiesSchema = Type.Union([Type.Array(ByName), ByName])

type Scalar = string | number | boolean
export type Properties = Record<string, Scalar>

/** Settings of the connection, which a consumer's properties name as a producer's do. */
const OF_CONNECTION = /^(?:ssl\.|sasl\.|clientId$|connectionTimeoutMs$)/

export function propertiesOf(given: readonly Properties[] | Properties | undefined): Properties {
  return Object.assign({}, ...(given === undefined ? [] : [given].flat()))
}

/**
 * The properties that settings of an adapter take, as those settings. What they refuse is refused; what Kafka's own
 * clients would not know either has no effect there, and is left out with a warning.
 * @param named names of properties that fields of the component stand for, and which these win over
 */
export function settingsFromProperties(
  properties: Properties,
  of: 'consumer' | 'producer',
  named: readonly string[],
  { warn, refuse }: Pick<ReadComponent<unknown>, 'warn' | 'refuse'>,
): { properties?: Properties; consumer?: { properties: Properties } } {
  const adapter: Properties = {}
  const consumer: Properties = {}
  for (const [name, value] of Object.entries(properties)) {
    if (named.includes(name)) continue
    const path = HONOURED_PROPERTIES[name]?.path
    const reason =
      of === 'consumer'
        ? (CONSUMER_PROPERTIES.refused[name] ?? REFUSED_PROPERTIES[name])
        : REFUSED_PROPERTIES[name]
    if (of === 'consumer' && Object.hasOwn(CONSUMER_PROPERTIES.honoured, name)) consumer[name] = value
    else if (path !== undefined && (of === 'producer' || OF_CONNECTION.test(path))) adapter[name] = value
    else if (reason !== undefined) refuse(['properties'], `property ${name} cannot be honoured: ${reason}`)
    else warn(['properties'], `property ${name} is none that Kafka's ${of} has here, and is left out`)
  }
  return {
    ...(Object.keys(adapter).length > 0 && { properties: adapter }),
    ...(Object.keys(consumer).length > 0 && { consumer: { properties: consumer } }),
  }
}
