// Runs the tests: those without servers first, then the others against real servers, which are started once for all.
// Arguments: test files to run; without any, all of them.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { run } from 'node:test'
import { spec, type TestEvent } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { messageOf } from '../src/core/errors.js'
import { progressPrinter } from '../src/stack/progress.js'
import { type Stack, startStack } from '../src/stack/stack.js'

const WITHOUT_SERVERS = ['unit', 'guards']
const WITH_SERVERS = ['contract', 'integration', 'e2e']
/** Of one test file; it also ends those that are through but whose process something keeps alive. */
const TIME_LIMIT_MS = 10 * 60_000
/** So many files that failed beside others are tried once more, alone: more at once are no matter of a busy machine. */
const SECOND_TRIES = 3

/** A line of the runner's summary. */
const TOTAL = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) /

/** The program as it is built, for the tests that start it hundreds of times. */
const BUILD = '.test-build'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const logFolder = path.join(root, '.test-logs')
process.chdir(root)

const total = { passed: 0, failed: 0, skipped: 0 }
/** Failed at first and passed alone: named at the end, for each is a fault to be found. */
const flaky: string[] = []
const files = await chooseFiles(process.argv.slice(2))
const needServers = files.filter((file) => WITH_SERVERS.includes(suiteOf(file)))
const plain = files.filter((file) => !needServers.includes(file))

await rm(logFolder, { recursive: true, force: true })
count(await runFiles(plain, os.availableParallelism()))
if (needServers.length > 0) {
  process.env.BPMN_RELAY_TEST_PROGRAM = await buildProgram()
  await runWithServers(needServers)
}
for (const file of flaky) console.log(`Passed only when tried again, alone: ${file}`)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
process.exit(total.failed > 0 ? 1 : 0)

async function chooseFiles(wanted: string[]): Promise<string[]> {
  if (wanted.length > 0) {
    const missing = wanted.filter((file) => !existsSync(file))
    if (missing.length > 0) fail(`no such test file: ${missing.join(', ')}`)
    return wanted.map((file) => path.relative(root, path.resolve(file)))
  }
  const all = await readdir('test', { recursive: true })
  const suites = [...WITHOUT_SERVERS, ...WITH_SERVERS]
  return all
    .map((file) => path.join('test', file))
    .filter((file) => file.endsWith('.test.ts') && suites.includes(suiteOf(file)))
    .sort()
}

function suiteOf(file: string): string {
  return file.split(path.sep)[1] ?? ''
}

async function buildProgram(): Promise<string> {
  const folder = path.join(root, BUILD)
  await rm(folder, { recursive: true, force: true })
  const compiler = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  await promisify(execFile)(process.execPath, [
    compiler,
    '-p',
    'tsconfig.build.json',
    '--outDir',
    folder,
  ]).catch(({ stdout }) => fail(`The program does not compile:\n${stdout}`))
  return path.join(folder, 'src', 'main.js')
}

async function runWithServers(chosen: string[]): Promise<void> {
  const dataFolder = await mkdtemp(path.join(os.tmpdir(), 'bpmn-relay-test-'))
  // Postgres does not run as root, but as a user who must be able to come here.
  await chmod(dataFolder, 0o755)
  let stack: Stack | undefined
  const cleanUp = async () => {
    await stack?.stop()
    await rm(dataFolder, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void cleanUp().finally(() => process.exit(1)))
  }
  try {
    stack = await startStack({ dataFolder, onProgress: progressPrinter(process.stdout) }).catch((error) => {
      withoutServers(chosen, messageOf(error))
      return undefined
    })
    if (stack) {
      process.env.BPMN_RELAY_TEST_SERVERS = JSON.stringify(stack.addresses)
      const endToEnd = chosen.filter((file) => suiteOf(file) === 'e2e')
      const others = chosen.filter((file) => !endToEnd.includes(file))
      // Of those end to end one after the other: every worker takes jobs of the standard task types, whichever test made
      // them. Most of their time they wait for servers that were stopped, so that others may run beside them.
      const beside = runFiles(others, 1)
      const results = [...(await runFiles(endToEnd, 1)), ...(await runFiles(others, 1)), ...(await beside)]
      count(await withSecondTries(results))
    }
    if (total.failed > 0) await keepLogs(dataFolder)
  } finally {
    await cleanUp()
  }
}

function withoutServers(chosen: string[], reason: string): void {
  const line = '!'.repeat(80)
  console.log(`${line}\nThe servers could not be started: ${reason}\n`)
  console.log(
    `NOT RUN, ${chosen.length} test files that need them:\n${chosen.map((file) => `  ${file}\n`).join('')}${line}`,
  )
  if (process.env.CI === 'true') total.failed += chosen.length
  else total.skipped += chosen.length
}

interface FileResult {
  file: string
  passed: number
  failed: number
  skipped: number
}

/**
 * As many files at a time as `concurrency` says, each taken off the list; what a file prints comes out together, once it
 * is through.
 */
async function runFiles(left: string[], concurrency: number): Promise<FileResult[]> {
  const results: FileResult[] = []
  const lane = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) results.push(await runFile(file))
  }
  await Promise.all(Array.from({ length: concurrency }, lane))
  return results
}

async function runFile(file: string): Promise<FileResult> {
  const result = { file, passed: 0, failed: 0, skipped: 0 }
  let hasFailed = false
  const startedAt = performance.now()
  const events = run({ files: [file], timeout: TIME_LIMIT_MS })
  events.on('test:pass', ({ details, skip }) => {
    if (details.type !== 'suite') result[skip ? 'skipped' : 'passed'] += 1
  })
  events.on('test:fail', ({ details }) => {
    hasFailed = true
    if (details.type !== 'suite') result.failed += 1
  })
  let output = ''
  for await (const text of events.filter(isNoTotal).compose(new spec())) output += text
  process.stdout.write(`${file}, ${Math.round((performance.now() - startedAt) / 1000)} s\n${output}\n`)
  // A suite can fail by its own hooks, with no failed test in it.
  if (hasFailed) result.failed ||= 1
  return result
}

/** The totals of each single file say nothing beside ours. */
function isNoTotal({ type, data }: TestEvent): boolean {
  return type !== 'test:diagnostic' || data.nesting > 0 || !TOTAL.test(data.message)
}

async function withSecondTries(results: FileResult[]): Promise<FileResult[]> {
  const failed = results.filter((result) => result.failed > 0)
  if (failed.length === 0 || failed.length > SECOND_TRIES) return results
  console.log(`\nOnce more, alone: ${failed.map(({ file }) => file).join(', ')}\n`)
  const second = await runFiles(
    failed.map(({ file }) => file),
    1,
  )
  flaky.push(...second.filter((result) => result.failed === 0).map(({ file }) => file))
  return [...results.filter((result) => !failed.includes(result)), ...second]
}

function count(results: FileResult[]): void {
  for (const { passed, failed, skipped } of results) {
    total.passed += passed
    total.failed += failed
    total.skipped += skipped
  }
}

async function keepLogs(dataFolder: string): Promise<void> {
  const logs = (await readdir(dataFolder, { recursive: true })).filter((file) => file.endsWith('.log'))
  for (const file of logs) await cp(path.join(dataFolder, file), path.join(logFolder, file))
  if (logs.length > 0) console.log(`The logs of the servers are in ${logFolder}`)
}

function fail(message: string): never {
  console.error(message)
  process.exit(2)
}
