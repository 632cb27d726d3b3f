import { readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { codeOf } from '../../core/errors.js'
import { isAlive } from '../../core/processes.js'
import { pause } from '../../core/time-limit.js'

const SIGN_OF_LIFE_MS = 2000
/** An owner that gives no sign for so long is gone, wherever it ran: no clocks are compared. */
const SILENCE_MS = 10_000
const LOOK_AGAIN_MS = 200

/** A lock with this process's id is an earlier process's, unless it is one of these. */
const heldHere = new Set<string>()

const Owner = Type.Object({ host: Type.String(), pid: Type.Number() })

export interface FolderLock {
  release(): Promise<void>
}

/**
 * Makes this process the only owner of a folder. A lock whose owner died is taken over: at once if that can be seen from
 * here, else after ten seconds without a sign of life.
 * @param onWait told once that there may be another owner.
 * @returns undefined when the folder belongs to another process that is alive.
 */
export async function lockFolder(folder: string, onWait: () => void): Promise<FolderLock | undefined> {
  const file = path.resolve(folder, 'lock')
  if (heldHere.has(file)) return undefined
  while (!(await claim(file))) {
    if (!(await isLeftOver(file, onWait))) return undefined
    // By renaming, so that of several processes that find it left over only one takes it away.
    const mine = `${file}.${process.pid}`
    await rename(file, mine).catch(() => undefined)
    await rm(mine, { force: true })
  }
  heldHere.add(file)
  const signs = setInterval(() => {
    const now = new Date()
    utimes(file, now, now).catch(() => undefined)
  }, SIGN_OF_LIFE_MS)
  signs.unref()
  return {
    async release() {
      clearInterval(signs)
      await rm(file, { force: true })
      heldHere.delete(file)
    },
  }
}

async function claim(file: string): Promise<boolean> {
  try {
    await writeFile(file, JSON.stringify({ host: hostname(), pid: process.pid }), { flag: 'wx' })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false
    throw error
  }
}

async function isLeftOver(file: string, onWait: () => void): Promise<boolean> {
  if (await hasDiedHere(file)) return true
  onWait()
  const first = await signOf(file)
  for (const giveUpAt = performance.now() + SILENCE_MS; performance.now() < giveUpAt; ) {
    if ((await signOf(file)) !== first) return false
    await pause(LOOK_AGAIN_MS)
  }
  return true
}

/** A container's processes have the same ids after every start: one that is ours was an earlier one's. */
async function hasDiedHere(file: string): Promise<boolean> {
  try {
    const { host, pid } = Value.Parse(Owner, JSON.parse(await readFile(file, 'utf8')))
    return host === hostname() && (pid === process.pid || !isAlive(pid))
  } catch {
    return false
  }
}

async function signOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).mtimeMs
  } catch {
    return undefined
  }
}
