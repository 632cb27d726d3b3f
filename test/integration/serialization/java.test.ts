import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { before, describe, it } from 'node:test'
import { promisify } from 'node:util'
import type { Serialization } from '../../../src/adapters/serialization/serializer.js'
import { SERIALIZATIONS } from '../../../src/adapters/serialization/serializer.js'
import { createSerializers } from '../../../src/adapters/serialization/serializers.js'
import { packageRoot } from '../../../src/core/package-root.js'
import { installServer } from '../../../src/stack/maven.js'

interface Vector {
  serialization: Serialization
  json: string
  hex: string
}

/** What the serializers in the broker's own jars make of values. */
async function javaVectors(): Promise<Vector[]> {
  const { java, files } = await installServer('kafka', () => undefined)
  const program = path.join(packageRoot(), 'test', 'java', 'Vectors.java')
  const { stdout } = await promisify(execFile)(java.program, ['-cp', path.join(files, '*'), program])
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
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
      assert.deepEqual(valueOf(serialization, text), valueOf(serialization, json), `${serialization} ${json}`)
    }
  })
})

function valueOf(serialization: Serialization, json: string): unknown {
  if (serialization === 'long') return BigInt(json)
  const value: unknown = JSON.parse(json)
  // Java writes some floats with a digit more than they need.
  return serialization === 'float' ? Math.fround(Number(value)) : value
}
