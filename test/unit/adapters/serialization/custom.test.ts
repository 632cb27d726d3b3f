import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { DROPPED, type Serializer } from '../../../../src/adapters/serialization/serializer.js'
import { createSerializers } from '../../../../src/adapters/serialization/serializers.js'
import { type ErrorCode, RelayError } from '../../../../src/core/errors.js'

const MODULE = `
export function serialize(value, context) {
  switch (value.do) {
    case 'drop': return null
    case 'throw': throw new Error('the order has no lines')
    case 'bytes': return Uint8Array.of(0, 255)
    case 'later': return Promise.resolve('later')
    case 'context': return JSON.stringify(context)
    case 'digits': return String(value.n)
    case 'number': return 5
    case 'nothing': return undefined
  }
}
export async function deserialize(bytes, context) {
  const text = new TextDecoder().decode(bytes)
  if (text === 'drop') return null
  if (text === 'throw') throw new Error('unknown version')
  return { text, n: 9223372036854775807n, context }
}`

let folder: string
let outside: string

before(async () => {
  const place = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-test-'))
  folder = path.join(place, 'modules')
  outside = path.join(place, 'outside.mjs')
  await mkdir(folder)
  await writeFile(path.join(folder, 'orders.mjs'), MODULE)
  await writeFile(path.join(folder, 'one-way.mjs'), 'export const serialize = () => "x"')
  await writeFile(path.join(folder, 'broken.mjs'), 'export const = ')
  await writeFile(outside, MODULE)
  await symlink(outside, path.join(folder, 'link.mjs'))
})
after(() => rm(path.dirname(folder), { recursive: true, force: true }))

function customValue(module = 'orders.mjs', modulesFolder: string | undefined = folder): Serializer {
  return createSerializers({
    adapter: 'orders',
    serializations: { key: 'string', value: 'custom' },
    settings: { valueModule: module },
    modulesFolder,
  }).value
}

const serialize = async (json: string, serializer = customValue()) => serializer.serialize(json, 'topic')

function failure(code: ErrorCode, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof RelayError)
    assert.equal(error.code, code, error.message)
    assert.match(error.message, text)
    return true
  }
}

describe('serialization "custom"', () => {
  const made: [json: string, bytes: Buffer][] = [
    ['{"do":"bytes"}', Buffer.of(0, 255)],
    ['{"do":"later"}', Buffer.from('later')],
    ['{"do":"digits","n":9223372036854775807}', Buffer.from('9223372036854775807')],
    ['{"do":"context"}', Buffer.from('{"side":"value","topic":"topic","adapter":"orders"}')],
  ]
  for (const [json, bytes] of made) {
    it(`sends what the module makes of ${json}`, async () => {
      assert.deepEqual(await serialize(json), bytes)
    })
  }

  it('drops the record when the module returns null', async () => {
    assert.equal(await serialize('{"do":"drop"}'), DROPPED)
    assert.equal(await customValue().deserialize(Buffer.from('drop'), 'topic'), DROPPED)
  })

  it('leaves a tombstone alone', async () => {
    assert.equal(await serialize('null'), null)
    assert.equal(await customValue().deserialize(null, 'topic'), 'null')
  })

  it('reads JSON with the digits the module gives it', async () => {
    assert.equal(
      await customValue().deserialize(Buffer.from('a'), 'topic'),
      '{"text":"a","n":9223372036854775807,"context":{"side":"value","topic":"topic","adapter":"orders"}}',
    )
  })

  const refused: [json: string, problem: RegExp][] = [
    ['{"do":"throw"}', /message was refused by serialize of orders\.mjs: the order has no lines/],
    ['{"do":"number"}', /returned number: it must return a Uint8Array, a text, or null/],
    ['{"do":"nothing"}', /returned nothing/],
  ]
  for (const [json, problem] of refused) {
    it(`refuses ${json} with the module's own words`, async () => {
      await assert.rejects(serialize(json), failure('VALUE_NOT_SERIALIZABLE', problem))
    })
  }

  it('refuses bytes with the words of the module', async () => {
    await assert.rejects(
      async () => customValue().deserialize(Buffer.from('throw'), 'topic'),
      failure('VALUE_NOT_DESERIALIZABLE', /refused by deserialize of orders\.mjs: unknown version/),
    )
  })

  it('needs a function for the direction that is used alone', async () => {
    const oneWay = customValue('one-way.mjs')
    assert.deepEqual(await serialize('1', oneWay), Buffer.from('x'))
    await assert.rejects(
      async () => oneWay.deserialize(Buffer.of(1), 'topic'),
      failure('VALUE_NOT_DESERIALIZABLE', /exports no function deserialize/),
    )
  })

  const unusable: [what: string, module: () => string, problem: RegExp][] = [
    [
      'a module that is not there',
      () => 'none.mjs',
      /valueModule "none\.mjs" of adapter "orders".*modules\/none\.mjs: ENOENT/,
    ],
    ['a module with a mistake', () => 'broken.mjs', /broken\.mjs: /],
    ['a module above the folder', () => '../outside.mjs', /lies outside .*BPMN_RELAY_MODULES_FOLDER/],
    ['a module elsewhere', () => outside, /lies outside/],
    ['a link out of the folder', () => 'link.mjs', /lies outside/],
  ]
  for (const [what, module, problem] of unusable) {
    it(`refuses ${what}, naming its path`, async () => {
      await assert.rejects(serialize('{}', customValue(module())), failure('SETTINGS_INVALID', problem))
    })
  }

  it('takes an absolute path below the folder', async () => {
    const serializer = customValue(path.join(folder, 'orders.mjs'))
    assert.deepEqual(await serialize('{"do":"later"}', serializer), Buffer.from('later'))
  })

  it('runs nothing in a worker that names no folder', async () => {
    const { value } = createSerializers({
      adapter: 'orders',
      serializations: { key: 'string', value: 'custom' },
      settings: { valueModule: 'orders.mjs' },
      modulesFolder: undefined,
    })
    await assert.rejects(serialize('{}', value), failure('SETTINGS_INVALID', /set BPMN_RELAY_MODULES_FOLDER/))
  })
})
