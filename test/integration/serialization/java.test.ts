import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { SERIALIZATIONS, type Serialization } from '../../../src/adapters/serialization/serializer.js'
import { createSerializers } from '../../../src/adapters/serialization/serializers.js'
import { runKafkaJava } from '../../helpers/kafka-java.js'

interface Vector {
  serialization: Serialization
  json: string
  hex: string
}

/** What the serializers in the broker's own jars make of values. */
async function javaVectors(): Promise<Vector[]> {
  const lines = (await runKafkaJava('Vectors.java', [])).trimEnd().split('\n')
  return lines.map((line) => {
    const [name, json = '', hex = ''] = line.split('\t')
    const serialization = SERIALIZATIONS.find((each) => each === name)
    assert.ok(serialization, `a line of Vectors.java: ${line}`)
    return { serialization, json, hex }
  })
}

function serializer(serialization: Serialization) {
  const serializations = { key: 'string', value: serialization } as const
  return createSerializers({ adapter: 'a', serializations, settings: {}, modulesFolder: undefined }).value
}

describe("Kafka's own Java serializers", () => {
  let vectors: Vector[] = []
  before(async () => {
    vectors = await javaVectors()
  })

  it('give a vector for every serialization that has a Java class', () => {
    const given = [...new Set(vectors.map(({ serialization }) => serialization))].sort()
    assert.deepEqual(given, [
      'boolean',
      'bytes',
      'double',
      'float',
      'integer',
      'long',
      'short',
      'string',
      'uuid',
    ])
  })

  it('make the same bytes as ours', () => {
    for (const { serialization, json, hex } of vectors) {
      const bytes = serializer(serialization).serialize(json, 'topic')
      assert.ok(Buffer.isBuffer(bytes))
      assert.equal(bytes.toString('hex'), hex, `${serialization} ${json}`)
    }
  })

  it('make bytes that ours read back as the same value', () => {
    for (const { serialization, json, hex } of vectors) {
      const text = serializer(serialization).deserialize(Buffer.from(hex, 'hex'), 'topic')
      assert.ok(typeof text === 'string')
      assert.deepEqual(
        comparable(serialization, text),
        comparable(serialization, json),
        `${serialization} ${json}`,
      )
    }
  })
})

function comparable(serialization: Serialization, json: string): unknown {
  if (serialization === 'long') return BigInt(json)
  const value: unknown = JSON.parse(json)
  // Java writes some floats with a digit more than they need.
  return serialization === 'float' ? Math.fround(Number(value)) : value
}
