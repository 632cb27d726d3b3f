import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { type Static, Type } from 'typebox'
import { Parse } from 'typebox/value'
import { parse as parseYaml } from 'yaml'
import { configEntries } from '../../src/core/config.js'

const root = new URL('../../', import.meta.url)
const read = (file: string) => readFileSync(new URL(file, root), 'utf8')
const Text = Type.Union([Type.String(), Type.Number()])

const Compose = Type.Object({
  services: Type.Record(
    Type.String(),
    Type.Object({
      image: Type.String(),
      build: Type.Optional(Type.String()),
      environment: Type.Optional(Type.Record(Type.String(), Text)),
      ports: Type.Optional(Type.Array(Type.String())),
      volumes: Type.Optional(Type.Array(Type.String())),
      depends_on: Type.Optional(Type.Record(Type.String(), Type.Object({ condition: Type.String() }))),
      healthcheck: Type.Optional(
        Type.Object({
          test: Type.Array(Type.String(), { minItems: 2 }),
          interval: Type.String(),
          timeout: Type.String(),
          retries: Type.Integer(),
        }),
      ),
    }),
  ),
  volumes: Type.Record(Type.String(), Type.Null()),
})
type Service = Static<typeof Compose>['services'][string]

const packageJson = Parse(
  Type.Object({
    bin: Type.Object({ 'bpmn-relay': Type.String() }),
    engines: Type.Object({ node: Type.String() }),
    scripts: Type.Object({ build: Type.String() }),
  }),
  JSON.parse(read('package.json')),
)
const { compilerOptions } = Parse(
  Type.Object({ compilerOptions: Type.Object({ outDir: Type.String(), rootDir: Type.String() }) }),
  JSON.parse(read('tsconfig.build.json')),
)
/** Where `npm run build` puts src/main.ts. */
const builtEntry = path.posix.join(compilerOptions.outDir, compilerOptions.rootDir, 'src/main.js')

const PINNED = /:[0-9]+\.[0-9][\w.-]*$/
const workerVariables = configEntries().map((entry) => entry.env)

/** Variables each image reads; of the worker, its configuration table. */
function reads(service: string, variable: string): boolean {
  switch (service) {
    case 'bpmn-relay':
      return workerVariables.includes(variable)
    case 'postgres':
      return ['POSTGRES_USER', 'POSTGRES_PASSWORD', 'POSTGRES_DB'].includes(variable)
    case 'zeebe':
      return variable.startsWith('ZEEBE_') || variable === 'JAVA_TOOL_OPTIONS'
    case 'kafka':
      return variable.startsWith('KAFKA_') || variable === 'CLUSTER_ID'
    default:
      return ['NAMESRV_ADDR', 'JAVA_OPT_EXT'].includes(variable)
  }
}

/** What is wrong with a compose file; nothing if all is well. */
function composeProblems(text: string): string[] {
  const { services, volumes } = Parse(Compose, parseYaml(text))
  const problems: string[] = []
  const hostPorts: string[] = []
  const mounted = new Set<string>()
  for (const [name, service] of Object.entries(services)) {
    const problem = (what: string) => problems.push(`${name}: ${what}`)
    if (!PINNED.test(service.image)) problem(`image ${service.image} is not pinned`)
    for (const variable of Object.keys(service.environment ?? {})) {
      if (!reads(name, variable)) problem(`does not read ${variable}`)
    }
    for (const port of service.ports ?? []) {
      if (!/^127\.0\.0\.1:\d+:\d+$/.test(port)) problem(`port ${port} is open to the network`)
      if (hostPorts.includes(port)) problem(`port ${port} is taken twice`)
      hostPorts.push(port)
    }
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
      const target: Service | undefined = services[other]
      if (!target) problem(`depends on ${other}, which does not exist`)
      else if (condition !== 'service_healthy') problem(`does not wait until ${other} is healthy`)
      else if (!target.healthcheck) problem(`waits for the health of ${other}, which has no healthcheck`)
    }
    for (const volume of service.volumes ?? []) {
      const [source = ''] = volume.split(':')
      if (!(source in volumes)) problem(`volume ${source} is not declared`)
      mounted.add(source)
    }
    const [how, command] = service.healthcheck?.test ?? ['CMD', '-']
    if ((how !== 'CMD' && how !== 'CMD-SHELL') || !command) problem('healthcheck runs no command')
    for (const address of addresses(service)) {
      if (!services[address]) problem(`speaks to ${address}, which is no service`)
    }
  }
  for (const volume of Object.keys(volumes)) {
    if (!mounted.has(volume)) problems.push(`volume ${volume} is not used`)
  }
  return problems
}

/** Host names in the variables that name another server. */
function addresses({ environment = {} }: Service): string[] {
  return ['DATABASE_URL', 'ZEEBE_ADDRESS', 'NAMESRV_ADDR'].flatMap((variable) => {
    const host = /([\w-]+):\d+(\/|$)/.exec(String(environment[variable] ?? ''))?.[1]
    return host ? [host] : []
  })
}

interface Instruction {
  name: string
  value: string
}

/** The stages of a Dockerfile in order, each its instructions; the first is FROM. */
function dockerStages(text: string): Instruction[][] {
  const stages: Instruction[][] = []
  const lines = text.replaceAll(/\\\n/g, ' ').split('\n')
  for (const line of lines.filter((candidate) => candidate !== '' && !candidate.startsWith('#'))) {
    const [name = '', ...rest] = line.split(' ')
    if (name === 'FROM') stages.push([])
    stages.at(-1)?.push({ name, value: rest.join(' ') })
  }
  return stages
}

/** Whether a path reaches the Docker engine: the last line of .dockerignore that matches it or a folder above decides. */
function isSent(file: string, ignore: string): boolean {
  let sent = true
  for (const line of ignore
    .split('\n')
    .filter((candidate) => candidate !== '' && !candidate.startsWith('#'))) {
    const pattern = line.replace(/^!/, '')
    if (pattern === '*' || file === pattern || file.startsWith(`${pattern}/`)) sent = line.startsWith('!')
  }
  return sent
}

/** What is wrong with a Dockerfile; nothing if all is well. */
function dockerfileProblems(text: string, ignore: string): string[] {
  const problems: string[] = []
  const stages = dockerStages(text)
  const names = stages.map((stage) => / AS (.*)$/.exec(stage[0]?.value ?? '')?.[1])
  for (const { name, value } of stages.flat()) {
    const [image = ''] = value.split(' ')
    if (name === 'FROM' && !PINNED.test(image)) problems.push(`image ${image} is not pinned`)
    if (name !== 'COPY') continue
    const stage = /^--from=(\S+)/.exec(value)?.[1]
    if (stage && !names.includes(stage)) problems.push(`copies from ${stage}, which is no stage`)
    if (stage) continue
    for (const source of value.split(' ').slice(0, -1)) {
      if (!existsSync(new URL(source, root))) problems.push(`copies ${source}, which does not exist`)
      if (!isSent(source, ignore)) problems.push(`copies ${source}, which .dockerignore keeps out`)
    }
  }
  const last = (name: string) => stages.at(-1)?.findLast((instruction) => instruction.name === name)?.value
  if ([undefined, 'root', '0'].includes(last('USER'))) problems.push('runs as root')
  if (!text.includes('npm prune --omit=dev')) problems.push('carries the development dependencies')
  const expected = JSON.stringify(['node', builtEntry]).replace(',', ', ')
  if (last('ENTRYPOINT') !== expected) problems.push(`starts ${last('ENTRYPOINT')} instead of ${expected}`)
  return problems
}

type Breakage = [what: string, from: string, to: string, problem: RegExp]

describe('compose.yaml', () => {
  const compose = read('compose.yaml')

  it('holds together', () => {
    assert.deepEqual(composeProblems(compose), [])
  })

  it('gives the worker database, engine and master key, the key from outside', () => {
    const environment = Parse(Compose, parseYaml(compose)).services['bpmn-relay']?.environment ?? {}
    assert.deepEqual(Object.keys(environment).sort(), [
      'BPMN_RELAY_MASTER_KEY',
      'DATABASE_URL',
      'ZEEBE_ADDRESS',
    ])
    assert.match(String(environment.BPMN_RELAY_MASTER_KEY), /^\$\{BPMN_RELAY_MASTER_KEY:\?/)
  })

  it('signs in to Postgres as the user that it sets up', () => {
    const { services } = Parse(Compose, parseYaml(compose))
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = services.postgres?.environment ?? {}
    assert.equal(
      services['bpmn-relay']?.environment?.DATABASE_URL,
      `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`,
    )
  })

  const breakages: Breakage[] = [
    ['a floating image', 'apache/kafka:4.1.0', 'apache/kafka:latest', /kafka: image .* not pinned/],
    ['a variable the worker does not know', 'ZEEBE_ADDRESS:', 'ZEEBE_ADRESS:', /does not read ZEEBE_ADRESS/],
    [
      'a dependency that does not exist',
      '      zeebe:\n        cond',
      '      zebee:\n        cond',
      /on zebee/,
    ],
    ['a wait that is too short', 'service_healthy', 'service_started', /does not wait until postgres/],
    ['a port open to the network', '127.0.0.1:9092:9092', '9092:9092', /port 9092:9092 is open/],
    ['an undeclared volume', '- kafka:/var', '- data:/var', /volume data is not declared/],
    ['a healthcheck without a command', '[CMD, pg_isready,', '[NONE, pg_isready,', /runs no command/],
    [
      'an address of no service',
      'NAMESRV_ADDR: rocketmq-namesrv',
      'NAMESRV_ADDR: namesrv',
      /speaks to namesrv/,
    ],
  ]
  for (const [what, from, to, problem] of breakages) {
    it(`is refused with ${what}`, () => {
      assert.ok(compose.includes(from))
      assert.match(composeProblems(compose.replace(from, to)).join('\n'), problem)
    })
  }
})

describe('the Dockerfile', () => {
  const dockerfile = read('Dockerfile')
  const ignore = read('.dockerignore')

  it('holds together with .dockerignore and the build', () => {
    assert.deepEqual(dockerfileProblems(dockerfile, ignore), [])
  })

  it('starts what the build makes of src/main.ts and package.json offers as bpmn-relay', () => {
    assert.ok(existsSync(new URL('src/main.ts', root)))
    assert.equal(packageJson.scripts.build, 'tsc -p tsconfig.build.json')
    assert.equal(packageJson.bin['bpmn-relay'], builtEntry)
  })

  it('builds on a Node version that package.json allows', () => {
    const [, major, minor] = /FROM node:(\d+)\.(\d+)/.exec(dockerfile) ?? []
    const [, oldestMajor, oldestMinor] = /^>=(\d+)\.(\d+)/.exec(packageJson.engines.node) ?? []
    assert.equal(major, oldestMajor)
    assert.ok(Number(minor) >= Number(oldestMinor))
  })

  it('sends nothing to the engine but what it copies', () => {
    for (const file of ['.git', 'node_modules', '.bpmn-relay', '.env', 'test', 'dist']) {
      assert.equal(isSent(file, ignore), false, file)
    }
  })

  const breakages: Breakage[] = [
    ['a floating image', 'node:20.20-bookworm-slim', 'node:lts', /node:lts is not pinned/],
    [
      'a copy of what does not exist',
      'COPY src src',
      'COPY source src',
      /copies source, which does not exist/,
    ],
    [
      'a copy of what is kept out',
      'COPY src src',
      'COPY test test',
      /copies test, which .dockerignore keeps out/,
    ],
    ['a copy from an unknown stage', '--from=build', '--from=builder', /copies from builder/],
    ['root as its user', 'USER node', 'USER root', /runs as root/],
    ['development dependencies', 'npm prune', 'npm list', /carries the development dependencies/],
    ['another entry point', '"dist/src/main.js"', '"dist/main.js"', /starts .*dist\/main.js/],
  ]
  for (const [what, from, to, problem] of breakages) {
    it(`is refused with ${what}`, () => {
      assert.ok(dockerfile.includes(from))
      assert.match(dockerfileProblems(dockerfile.replace(from, to), ignore).join('\n'), problem)
    })
  }
})
