import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { codeOf } from '../core/errors.js'
import { isAlive } from '../core/processes.js'
import { pause } from '../core/time-limit.js'

const REFRESH_MS = 10_000
/** A lock not refreshed for so long is left over, even when another process has got its owner's id meanwhile. */
const STALE_MS = 60_000

/**
 * Runs `work` while this process alone owns the lock file; waits as long as another living process owns it.
 * The lock of a process that died is taken over.
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!(await claim(file))) {
    // By renaming, so that of several processes that find it stale only one takes it away.
    if (await isStale(file)) await rename(file, `${file}.${process.pid}`).catch(() => undefined)
    else await pause(50)
    await rm(`${file}.${process.pid}`, { force: true })
  }
  const refresh = setInterval(() => {
    const now = new Date()
    utimes(file, now, now).catch(() => undefined)
  }, REFRESH_MS)
  try {
    return await work()
  } finally {
    clearInterval(refresh)
    await rm(file, { force: true })
  }
}

async function claim(file: string): Promise<boolean> {
  try {
    await writeFile(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function isStale(file: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(file)
    const owner = Number(await readFile(file, 'utf8'))
    return Date.now() - mtimeMs > STALE_MS || (owner > 0 && !isAlive(owner))
  } catch {
    return false
  }
}
