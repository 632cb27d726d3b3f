import assert from 'node:assert/strict'
import { fork, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { AuditRow } from '../../../src/audit/call-record.js'
import { createFileLog, type FileLogOptions } from '../../../src/audit/file-log.js'
import { silentLog } from '../../../src/core/log.js'
import { defaultWorkerName } from '../../../src/core/worker-name.js'
import { recordWith } from '../../helpers/call-record.js'
import { waitFor } from '../../helpers/wait-for.js'

const MAX_BYTES = 4000
const MAX_FILES = 4

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'file-log-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function fileLog(folder: string, options: Partial<FileLogOptions> = {}) {
  const sizes = { maxBytes: MAX_BYTES, maxFiles: MAX_FILES }
  return createFileLog({ folder, worker: 'w1', ...sizes, log: silentLog, ...options })
}

function call(changes: Partial<AuditRow> = {}): AuditRow {
  const { audit } = recordWith({ audit: changes })
  assert.ok(audit)
  return audit
}

/** Writes calls with the request ids `from`, `from` + 1, … */
async function writeCalls(folder: string, from: number, count: number, options?: Partial<FileLogOptions>) {
  const log = fileLog(folder, options)
  for (let n = from; n < from + count; n += 1) log.write(call({ requestId: String(n) }))
  await log.close()
}

/** Files of the folder, the oldest first. */
function files(folder: string): string[] {
  const numberOf = (name: string) => Number(/\d+$/.exec(name)?.[0] ?? Number.POSITIVE_INFINITY)
  return readdirSync(folder).sort((a, b) => (numberOf(a) < numberOf(b) ? -1 : 1))
}

/** The highest number of a full file. */
function newest(folder: string): number {
  return Math.max(0, ...files(folder).map((file) => Number(/\d+$/.exec(file)?.[0] ?? 0)))
}

/** All lines of the folder in order, parsed; a cut one would be none. */
function lines(
  folder: string,
): { requestId?: string; dropped?: number; request?: unknown; response?: unknown }[] {
  return files(folder).flatMap((file) => {
    const text = readFileSync(path.join(folder, file), 'utf8')
    assert.ok(text === '' || text.endsWith('\n'), `${file} ends in the middle of a line`)
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  })
}

/** That the lines are the newest ones, without a gap, up to `last`. */
function assertNewestUpTo(folder: string, last: number): void {
  const ids = lines(folder).map(({ requestId }) => Number(requestId))
  assert.deepEqual(
    ids,
    ids.map((_, index) => last - ids.length + 1 + index),
  )
}

describe('the file log', () => {
  it('writes a call as one line of JSON with request id, request and result', async (t) => {
    const folder = newFolder(t)
    const log = fileLog(folder)
    log.write(call({ requestId: 'r1', request: '{"topic":"orders"}', response: '{"offset":7}' }))
    await log.close()
    const [line] = lines(folder)
    assert.deepEqual(
      [line?.requestId, line?.request, line?.response],
      ['r1', { topic: 'orders' }, { offset: 7 }],
    )
  })

  it('keeps the digits of a request as the engine gave them', async (t) => {
    const folder = newFolder(t)
    const log = fileLog(folder)
    log.write(call({ request: '{"message":{"big":9223372036854775807,"price":100.0}}' }))
    await log.close()
    assert.match(
      readFileSync(path.join(folder, 'results-w1.log'), 'utf8'),
      /\{"big":9223372036854775807,"price":100\.0\}/,
    )
  })

  it('writes a request of several lines, and one that was cut, on one line', async (t) => {
    const folder = newFolder(t)
    const log = fileLog(folder)
    log.write(call({ request: '{\n  "message": "a\\nb"\r\n}' }))
    log.write(call({ request: '{"message":"cut of\n' }))
    await log.close()
    assert.equal(lines(folder).length, 2)
  })

  it('leaves out what a call does not have', async (t) => {
    const folder = newFolder(t)
    const log = fileLog(folder)
    log.write(call({ errorCode: null, elementId: null }))
    await log.close()
    const [line] = lines(folder)
    assert.deepEqual(
      ['errorCode', 'elementId'].filter((name) => line && name in line),
      [],
    )
  })

  it('names its file after the worker, whatever that is called', async (t) => {
    const folder = newFolder(t)
    await writeCalls(folder, 0, 1, { worker: '../工作 1.eu' })
    assert.deepEqual(readdirSync(folder), ['results-..%2f工作%201.eu.log'])
  })

  it('leaves the files of other workers alone', async (t) => {
    const folder = newFolder(t)
    await writeCalls(folder, 0, 100, { worker: 'other' })
    const others = readdirSync(folder)
    await writeCalls(folder, 0, 100)
    assert.deepEqual(
      readdirSync(folder).filter((file) => file.startsWith('results-other.')),
      others,
    )
  })
})

describe('rotation of the file log', () => {
  it('keeps the newest lines in no more files than set, none above its size', async (t) => {
    const folder = newFolder(t)
    await writeCalls(folder, 0, 500)
    assertNewestUpTo(folder, 499)
    assert.equal(files(folder).length, MAX_FILES)
    assert.ok(files(folder).every((file) => statSync(path.join(folder, file)).size <= MAX_BYTES))
  })

  it('never has more files than set while lines are written one by one', async (t) => {
    const folder = newFolder(t)
    const log = fileLog(folder)
    let most = 0
    for (let n = 0; n < 150; n += 1) {
      log.write(call({ requestId: String(n) }))
      await new Promise(setImmediate)
      most = Math.max(most, readdirSync(folder).length)
    }
    await log.close()
    assert.equal(Math.max(most, readdirSync(folder).length), MAX_FILES)
  })

  it('goes on where it was after a restart', async (t) => {
    const folder = newFolder(t)
    for (let start = 0; start < 300; start += 50) await writeCalls(folder, start, 50)
    assertNewestUpTo(folder, 299)
    assert.equal(files(folder).length, MAX_FILES)
  })

  it('obeys a lowered number of files', async (t) => {
    const folder = newFolder(t)
    await writeCalls(folder, 0, 200)
    await writeCalls(folder, 200, 1, { maxFiles: 2 })
    assert.equal(files(folder).length, 2)
    assertNewestUpTo(folder, 200)
  })

  for (const maxFiles of [1, 2]) {
    it(`works with ${maxFiles} file(s)`, async (t) => {
      const folder = newFolder(t)
      await writeCalls(folder, 0, 200, { maxFiles })
      assert.equal(files(folder).length, maxFiles)
      assertNewestUpTo(folder, 199)
    })
  }

  it('gives a line that is longer than a file one of its own', async (t) => {
    const folder = newFolder(t)
    const log = fileLog(folder)
    const long = JSON.stringify('x'.repeat(2 * MAX_BYTES))
    for (const request of ['"a"', long, '"b"']) log.write(call({ requestId: '1', request }))
    await log.close()
    assert.equal(files(folder).length, 3)
    assert.equal(lines(folder).length, 3)
  })

  it('counts what ended workers without a name left, and removes it first', async (t) => {
    const folder = newFolder(t)
    const { pid: ended } = spawnSync(process.execPath, ['--version'])
    for (const suffix of ['', '.1', '.2', '.3'])
      writeFileSync(path.join(folder, `results-${defaultWorkerName(ended)}.log${suffix}`), '{}\n')
    await writeCalls(folder, 0, 500, { worker: defaultWorkerName() })
    assert.equal(files(folder).length, MAX_FILES)
    assertNewestUpTo(folder, 499)
  })

  it('takes a line back that a killed worker left unfinished, and tells of it', async (t) => {
    const folder = newFolder(t)
    await writeCalls(folder, 0, 2)
    appendFileSync(path.join(folder, 'results-w1.log'), '{"requestId":"2","requ')
    await writeCalls(folder, 3, 1)
    assert.deepEqual(
      lines(folder).map(({ requestId, dropped }) => requestId ?? dropped),
      ['0', '1', 1, '3'],
    )
  })

  it('cuts no line and keeps its bounds over SIGKILLs', async (t) => {
    const folder = newFolder(t)
    const writer = fileURLToPath(new URL('../../helpers/file-log-writer.ts', import.meta.url))
    for (let round = 0; round < 3; round += 1) {
      const before = newest(folder)
      const child = fork(writer, [folder, String(MAX_BYTES), String(MAX_FILES)], {
        execArgv: ['--import', 'tsx'],
      })
      const ended = once(child, 'exit')
      try {
        await waitFor('several more files', () => newest(folder) > before + 2 * MAX_FILES)
      } finally {
        child.kill('SIGKILL')
        await ended
      }
      assert.ok(files(folder).length <= MAX_FILES)
    }
    await writeCalls(folder, 0, 1)
    assert.ok(lines(folder).length > 0)
    assert.ok(files(folder).length <= MAX_FILES)
  })
})

describe('a file log in trouble', () => {
  it('says what it dropped, in the log of the program and in the file', async (t) => {
    const folder = newFolder(t)
    const said: unknown[] = []
    const log = fileLog(folder, {
      maxWaitingBytes: 2000,
      maxBytes: 1_000_000,
      log: { ...silentLog, error: (_, fields) => said.push(fields?.dropped) },
    })
    for (let n = 0; n < 100; n += 1) log.write(call({ requestId: String(n) }))
    await waitFor('the first lines', () => lines(folder).length > 0)
    await waitFor('room for another line', () => {
      log.write(call({ requestId: 'late' }))
      return lines(folder).some(({ requestId }) => requestId === 'late')
    })
    await log.close()
    const kept = lines(folder).filter(
      ({ requestId }) => requestId !== undefined && requestId !== 'late',
    ).length
    const [dropped] = lines(folder).flatMap((line) => line.dropped ?? [])
    assert.equal(dropped, 100 - kept)
    assert.deepEqual(said, [dropped])
  })

  it('starts a file anew that a person has removed', async (t) => {
    const folder = newFolder(t)
    const log = fileLog(folder)
    log.write(call({ requestId: '0' }))
    await waitFor('the line', () => files(folder).length > 0 && lines(folder).length === 1)
    rmSync(path.join(folder, 'results-w1.log'))
    log.write(call({ requestId: '1' }))
    await log.close()
    assertNewestUpTo(folder, 1)
  })

  it('goes on once the folder can be written again', async (t) => {
    const folder = path.join(newFolder(t), 'logs')
    writeFileSync(folder, 'not a folder')
    const dropped: unknown[] = []
    const log = fileLog(folder, {
      log: { ...silentLog, error: (_, fields) => dropped.push(fields?.dropped) },
    })
    log.write(call({ requestId: '0' }))
    await waitFor('the loss to be told', () => dropped.length > 0)
    rmSync(folder)
    log.write(call({ requestId: '1' }))
    await log.close()
    assert.deepEqual(
      lines(folder).map(({ requestId, dropped: lost }) => requestId ?? lost),
      [1, '1'],
    )
  })
})
