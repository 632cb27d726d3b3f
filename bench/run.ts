// Benchmarks against real servers, side by side in one run: `npm run bench`. docs/benchmarks.md says what each figure
// means and how to read it.
//
//   npm run bench                          everything, on servers it starts itself
//   npm run bench -- --list                the names of all parts
//   npm run bench -- --only road           only what is below this name: engine, road.kafka1k, engine.rocketmq …
//   npm run bench -- --only 'road.kafka.*.1KB.none,road.kafka1k'     several, and * for any one dotted part
//   npm run bench -- --json FILE           also writes every figure to FILE: name → median, name.min and name.max
//   npm run bench -- --markdown FILE       also writes the tables to FILE, with date and machine
//   npm run bench -- --rounds 9            alternating rounds after the warm-up; default 5
//
// BPMN_RELAY_BENCH_SERVERS, the addresses of a running stack as JSON, saves starting one.
// BPMN_RELAY_BENCH_PROFILE=road-relay writes a CPU profile of the child process of this name to .bench-profiles/.
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { progressPrinter } from '../src/stack/progress.js'
import { type StackAddresses, startStack } from '../src/stack/stack.js'
import { auditQueries } from './audit/queries.js'
import type { Benchmark } from './benchmark.js'
import { createDatabase } from './database.js'
import { engine } from './engine.js'
import { held } from './held.js'
import { Report } from './report.js'
import { roadAudit } from './road/audit.js'
import { roadLatency } from './road/latency.js'
import { roadMatrix } from './road/matrix.js'
import { roadRocketmq } from './road/rocketmq.js'
import { roadAdapters, roadPartitions } from './road/spread.js'
import { standardRoad } from './road/standard.js'
import { selectedParts } from './selection.js'
import { slaSeriesChart } from './sla-series.js'
import { triggerForward } from './trigger/forward.js'
import { triggerStart } from './trigger/start.js'

const BENCHMARKS: Benchmark[] = [
  engine,
  held,
  auditQueries,
  slaSeriesChart,
  standardRoad,
  roadAudit,
  roadRocketmq,
  roadLatency,
  roadAdapters,
  roadPartitions,
  roadMatrix,
  triggerStart,
  triggerForward,
]
const PARTS = BENCHMARKS.flatMap(({ parts }) => parts)

const Addresses = Type.Object({
  postgres: Type.Object({ url: Type.String() }),
  zeebe: Type.Object({ address: Type.String(), managementUrl: Type.String() }),
  kafka: Type.Object({ bootstrapServers: Type.String() }),
  rocketmq: Type.Object({ nameServer: Type.String(), proxyEndpoint: Type.String() }),
})

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    list: { type: 'boolean', default: false },
    json: { type: 'string' },
    markdown: { type: 'string' },
    rounds: { type: 'string', default: '5' },
  },
})
if (options.list) {
  console.log(PARTS.join('\n'))
  process.exit(0)
}
const rounds = Number(options.rounds)
if (!Number.isInteger(rounds) || rounds < 1) fail(`--rounds ${options.rounds}: use a whole number from 1`)
const selected =
  selectedParts(options.only, PARTS) ?? fail(`--only ${options.only}: use names that --list shows`)
const chosen = BENCHMARKS.map((benchmark) => ({
  benchmark,
  parts: benchmark.parts.filter((part) => selected.has(part)),
})).filter(({ parts }) => parts.length > 0)

const report = new Report()
const closers: (() => Promise<unknown>)[] = []
let isInterrupted = false
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    isInterrupted = true
    void closeAll().finally(() => process.exit(1))
  })
}
try {
  const servers = await serversToUse()
  for (const { benchmark, parts } of chosen) {
    const database = await createDatabase(servers)
    closers.push(database.drop)
    await benchmark.run(parts, {
      servers,
      databaseUrl: database.url,
      rounds,
      progress,
      figure: (name, value) => report.add(name, value),
    })
  }
  progress('')
  const tables = chosen.flatMap(({ benchmark }) => benchmark.tables ?? [])
  console.log(report.toText(tables))
  if (options.json) await writeFile(options.json, `${JSON.stringify(report.toJson(), null, 2)}\n`)
  if (options.markdown) await writeFile(options.markdown, report.toMarkdown(tables, rounds))
} catch (error) {
  // What an interrupted benchmark says of the servers taken from it is of no use.
  if (!isInterrupted) throw error
} finally {
  await closeAll()
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
