import assert from 'node:assert/strict'
import { appendFile, mkdtemp, open, readdir, readFile, rm, truncate } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { SpoolFiles } from '../../../../src/audit/spool/spool-files.js'
import { type Log, silentLog } from '../../../../src/core/log.js'

const HEADER_BYTES = 12

describe('the files of a spool', () => {
  it('give entries back in the order in which they came, also to the next process', async (t) => {
    const folder = await emptyFolder(t)
    const files = await SpoolFiles.open(folder, silentLog)
    await files.append(['a', 'b'].map(bytes))
    await files.append(['c'].map(bytes))
    assert.deepEqual(await texts(files), ['a', 'b', 'c'])
    await files.close()
    assert.deepEqual(await texts(await SpoolFiles.open(folder, silentLog)), ['a', 'b', 'c'])
  })

  it('tell where each entry starts, and find it there', async (t) => {
    const files = await SpoolFiles.open(await emptyFolder(t), silentLog)
    const [, second = -1] = await files.append(['short', 'x'.repeat(100_000), 'end'].map(bytes))
    assert.equal(String(await files.payloadAt(second)), 'x'.repeat(100_000))
    assert.equal(await files.payloadAt(second + 1), undefined)
  })

  it('flush all entries that came together once', async (t) => {
    const files = await SpoolFiles.open(await emptyFolder(t), silentLog)
    await files.append([bytes('first')])
    const handle = await open(path.join(await emptyFolder(t), 'any'), 'w')
    const flush = t.mock.method(Object.getPrototypeOf(handle), 'datasync')
    await handle.close()
    await files.append(Array.from({ length: 100 }, (_, n) => bytes(`entry ${n}`)))
    assert.equal(flush.mock.callCount(), 1)
  })

  it('begin a new one when one is full, and remove those that are done with', async (t) => {
    const folder = await emptyFolder(t)
    const files = await SpoolFiles.open(folder, silentLog, 100)
    for (let n = 0; n < 20; n += 1) await files.append([bytes(`entry ${n}`)])
    const before = await spoolFiles(folder)
    const entries = await files.read(files.start, () => false)
    await files.dropBefore(entries[9]?.end ?? 0)
    const left = (await texts(files)).filter((text) => Number(text.split(' ')[1]) >= 10)
    assert.deepEqual(
      left,
      Array.from({ length: 10 }, (_, n) => `entry ${n + 10}`),
    )
    assert.ok((await spoolFiles(folder)).length < before.length)
  })

  it('go on counting where they stood after all of them are gone', async (t) => {
    const folder = await emptyFolder(t)
    const files = await SpoolFiles.open(folder, silentLog)
    await files.append([bytes('a')])
    const { end } = files
    await files.dropBefore(end)
    assert.deepEqual(await spoolFiles(folder), [])
    assert.deepEqual(await files.append([bytes('b')]), [end])
  })

  it('keep what is being written though all before it is done with', async (t) => {
    const folder = await emptyFolder(t)
    const files = await SpoolFiles.open(folder, silentLog)
    for (let round = 0; round < 20; round += 1) {
      await files.append([bytes('done with')])
      await Promise.all([files.append([bytes(`kept ${round}`)]), files.dropBefore(files.end)])
      assert.deepEqual((await texts(files)).at(-1), `kept ${round}`)
      await files.dropBefore(files.end)
    }
  })

  it('read nothing of what is being written, and lose nothing of it', async (t) => {
    const folder = await emptyFolder(t)
    const files = await SpoolFiles.open(folder, silentLog)
    const expected: string[] = []
    const read: string[] = []
    let from = 0
    for (let round = 0; round < 50; round += 1) {
      const text = `${round} `.repeat(20_000)
      expected.push(text)
      const [, entries] = await Promise.all([files.append([bytes(text)]), files.read(from, () => false)])
      read.push(...entries.map(({ payload }) => String(payload)))
      from = entries.at(-1)?.end ?? from
    }
    read.push(...(await files.read(from, () => false)).map(({ payload }) => String(payload)))
    assert.ok(read.length === expected.length && read.every((text, n) => text === expected[n]))
  })

  for (const missing of [1, HEADER_BYTES, HEADER_BYTES + 3, HEADER_BYTES + 4]) {
    it(`lose of a last entry that lacks ${missing} bytes nothing but itself`, async (t) => {
      const { folder, file } = await written(t, ['whole', 'torn'])
      const { length } = await readFile(file)
      await truncate(file, length - missing)
      const files = await SpoolFiles.open(folder, silentLog)
      assert.deepEqual(await texts(files), ['whole'])
      await files.append([bytes('next')])
      assert.deepEqual(await texts(await SpoolFiles.open(folder, silentLog)), ['whole', 'next'])
    })
  }

  it('keep a damaged entry aside, in words, and give those around it', async (t) => {
    const { folder, file } = await written(t, ['before', 'damaged', 'after'])
    const content = await readFile(file)
    await overwrite(file, content.indexOf('damaged'), 'DAMAGED')
    const told: string[] = []
    const files = await SpoolFiles.open(folder, {
      ...silentLog,
      error: (message, fields) => told.push(`${message} ${String(fields?.file)}`),
    } satisfies Log)
    assert.deepEqual(await texts(files), ['before', 'after'])
    const [aside = ''] = (await readdir(folder)).filter((name) => name.startsWith('aside-'))
    assert.ok(String(await readFile(path.join(folder, aside))).endsWith('DAMAGED'))
    assert.equal(told.length, 1)
    assert.ok(told[0]?.includes(aside), told[0])
  })

  it('keep aside what stands after the last entry and is none', async (t) => {
    const { folder, file } = await written(t, ['a'])
    await appendFile(file, Buffer.alloc(50))
    const files = await SpoolFiles.open(folder, silentLog)
    assert.deepEqual(await texts(files), ['a'])
    assert.equal((await readdir(folder)).filter((name) => name.startsWith('aside-')).length, 1)
  })

  it('count nothing of a write that failed', async (t) => {
    const folder = await emptyFolder(t)
    const files = await SpoolFiles.open(folder, silentLog)
    await files.append([bytes('a')])
    const handle = await open(path.join(await emptyFolder(t), 'any'), 'w')
    const flush = t.mock.method(Object.getPrototypeOf(handle), 'datasync', async () => {
      throw new Error('no space left')
    })
    await handle.close()
    await assert.rejects(files.append([bytes('a longer one that is lost'), bytes('lost')]), /no space left/)
    flush.mock.restore()
    await files.append([bytes('b')])
    assert.deepEqual(await texts(await SpoolFiles.open(folder, silentLog)), ['a', 'b'])
  })
})

async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'spool-files-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}

async function written(t: TestContext, entries: string[]): Promise<{ folder: string; file: string }> {
  const folder = await emptyFolder(t)
  const files = await SpoolFiles.open(folder, silentLog)
  await files.append(entries.map(bytes))
  await files.close()
  const [name = ''] = await spoolFiles(folder)
  return { folder, file: path.join(folder, name) }
}

async function overwrite(file: string, at: number, text: string): Promise<void> {
  const handle = await open(file, 'r+')
  await handle.write(text, at)
  await handle.close()
}

async function spoolFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.spool'))
}

async function texts(files: SpoolFiles): Promise<string[]> {
  const entries = await files.read(files.start, () => false)
  return entries.flatMap(({ payload }) => (payload ? [String(payload)] : []))
}

function bytes(text: string): Buffer {
  return Buffer.from(text)
}
