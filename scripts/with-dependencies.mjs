// Runs a TypeScript entry file after making sure that node_modules matches package-lock.json, so that
// `npm run demo` and `npm test` work from a fresh clone. Plain JavaScript: it runs before anything is installed.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')
const stamp = path.join(root, 'node_modules', '.bpmn-relay-lock-hash')
const lock = createHash('sha256')
  .update(readFileSync(path.join(root, 'package-lock.json')))
  .digest('hex')

if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== lock) {
  console.error('Installing dependencies (npm ci) …')
  const install = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, stdio: ['ignore', 2, 2] })
  if (install.status !== 0) {
    console.error('npm ci failed: see its message above.')
    process.exit(1)
  }
  writeFileSync(stamp, lock)
}

// In the same process, so that signals and the exit code are the program's own.
const [entry, ...rest] = process.argv.slice(2)
process.argv = [process.argv[0], path.join(root, entry), ...rest]
process.execArgv.push('--import', 'tsx')
const { register } = await import('tsx/esm/api')
register()
await import(path.join(root, entry))
