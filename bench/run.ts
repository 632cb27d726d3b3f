// Benchmarks against real servers, side by side in one run: `npm run bench`.
//
//   npm run bench                          everything, on servers it starts itself
//   npm run bench -- --only road           only what is below this name: engine, road.kafka1k, engine.rocketmq …
//   npm run bench -- --json FILE           also writes every figure to FILE: name → median, name.min and name.max
//   npm run bench -- --rounds 9            alternating rounds after the warm-up; default 5
//
// BPMN_RELAY_BENCH_SERVERS, the addresses of a running stack as JSON, saves starting one.
// BPMN_RELAY_BENCH_PROFILE=road-relay writes a CPU profile of the child process of this name to .bench-profiles/.
//
// How to read it. Each variant runs in a process of its own; in every round each has its turn, with all servers up, so
// that whatever else the machine does meets all of them alike. A ratio is worked out within a round, and its median
// over the rounds is what counts: absolute figures are those of this machine at this hour. CPU is user and system
// time. `…CpuMicrosPerJob` of the servers and `busyCores` tell who was at the limit: where the cores are all busy and
// the servers have taken most of them, no worker could have been quicker.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { progressPrinter } from '../src/stack/progress.js'
import { type StackAddresses, startStack } from '../src/stack/stack.js'
import { type Benchmark, median } from './benchmark.js'
import { createDatabase } from './database.js'
import { engine } from './engine.js'
import { road } from './road.js'
import { roadRocketmq } from './road-rocketmq.js'

const BENCHMARKS: Benchmark[] = [engine, road, roadRocketmq]

const Addresses = Type.Object({
  postgres: Type.Object({ url: Type.String() }),
  zeebe: Type.Object({ address: Type.String(), managementUrl: Type.String() }),
  kafka: Type.Object({ bootstrapServers: Type.String() }),
  rocketmq: Type.Object({ nameServer: Type.String(), proxyEndpoint: Type.String() }),
})

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    json: { type: 'string' },
    rounds: { type: 'string', default: '5' },
  },
})
const rounds = Number(options.rounds)
if (!Number.isInteger(rounds) || rounds < 1) fail(`--rounds ${options.rounds}: use a whole number from 1`)
const chosen = BENCHMARKS.map((benchmark) => ({ benchmark, parts: benchmark.parts.filter(isWanted) })).filter(
  ({ parts }) => parts.length > 0,
)
if (chosen.length === 0) {
  fail(`--only ${options.only}: use one of ${BENCHMARKS.flatMap(({ parts }) => parts).join(', ')}`)
}

const figures = new Map<string, number[]>()
const closers: (() => Promise<unknown>)[] = []
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void closeAll().finally(() => process.exit(1)))
}
try {
  const servers = await serversToUse()
  for (const { benchmark, parts } of chosen) {
    const database = await createDatabase(servers)
    closers.push(database.drop)
    await benchmark.run(parts, { servers, databaseUrl: database.url, rounds, progress, figure: addFigure })
  }
  progress('')
  printFigures()
  if (options.json)
    await writeFile(options.json, `${JSON.stringify(Object.fromEntries(reported()), null, 2)}\n`)
} finally {
  await closeAll()
}

/** Names are compared by their dotted parts: `road.kafka` does not stand for `road.kafka1k`. */
function isWanted(part: string): boolean {
  const { only } = options
  return only === '' || `${part}.`.startsWith(`${only}.`) || only.startsWith(`${part}.`)
}

async function serversToUse(): Promise<Required<StackAddresses>> {
  const given = process.env.BPMN_RELAY_BENCH_SERVERS
  if (given) return Value.Parse(Addresses, JSON.parse(given))
  const dataFolder = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-bench-'))
  closers.push(() => rm(dataFolder, { recursive: true, force: true }))
  // Postgres does not run as root, but as a user who must be able to come here.
  await chmod(dataFolder, 0o755)
  const stack = await startStack({ dataFolder, onProgress: progressPrinter(process.stderr) })
  closers.push(() => stack.stop())
  return Value.Parse(Addresses, stack.addresses)
}

function addFigure(name: string, value: number): void {
  const values = figures.get(name)
  if (values) values.push(value)
  else figures.set(name, [value])
}

function* reported(): Generator<[string, number]> {
  for (const [name, values] of figures) {
    yield [name, median(values)]
    yield [`${name}.min`, Math.min(...values)]
    yield [`${name}.max`, Math.max(...values)]
  }
}

function printFigures(): void {
  const width = Math.max(...[...figures.keys()].map((name) => name.length))
  console.log(`${''.padEnd(width)}  ${'median'.padStart(10)}  ${'min'.padStart(10)}  ${'max'.padStart(10)}`)
  for (const [name, values] of figures) {
    const columns = [median(values), Math.min(...values), Math.max(...values)]
    console.log(`${name.padEnd(width)}  ${columns.map((value) => rounded(value).padStart(10)).join('  ')}`)
  }
}

function rounded(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 3)
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text) process.stderr.write(`${text}\n`)
}

async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close()
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
