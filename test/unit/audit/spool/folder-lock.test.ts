import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { lockFolder } from '../../../../src/audit/spool/folder-lock.js'

describe('the lock of a folder', () => {
  it('is given to one at a time', async (t) => {
    const { folder } = await lockable(t)
    const lock = await lockFolder(folder, () => undefined)
    assert.equal(await lockFolder(folder, () => undefined), undefined)
    await lock?.release()
    const next = await lockFolder(folder, () => undefined)
    assert.ok(next)
    await next.release()
  })

  it('is taken over at once from a process of this machine that has died', async (t) => {
    const { folder, file } = await lockable(t)
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'close')
    await writeFile(file, JSON.stringify({ host: os.hostname(), pid: child.pid }))
    const lock = await lockFolder(folder, () => assert.fail('waited'))
    assert.equal(JSON.parse(await readFile(file, 'utf8')).pid, process.pid)
    await lock?.release()
  })

  it('is left to an owner on another machine that gives signs of life', async (t) => {
    const { folder, file } = await lockable(t)
    await writeFile(file, JSON.stringify({ host: 'elsewhere', pid: 1 }))
    let sign = 1000
    const signs = setInterval(() => void utimes(file, sign, sign++).catch(() => undefined), 50)
    t.after(() => clearInterval(signs))
    let waited = 0
    const lock = await lockFolder(folder, () => {
      waited += 1
    })
    assert.deepEqual([lock, waited], [undefined, 1])
  })
})

async function lockable(t: TestContext): Promise<{ folder: string; file: string }> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'folder-lock-'))
  t.after(() => rm(folder, { recursive: true }))
  return { folder, file: path.join(folder, 'lock') }
}
