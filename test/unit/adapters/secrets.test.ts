import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { createSecrets, isSealed, masterKeyFrom } from '../../../src/adapters/secrets.js'
import { RelayError } from '../../../src/core/errors.js'

const key = randomBytes(32)
const secrets = createSecrets(() => key)
const missing = (error: unknown) => error instanceof RelayError && error.code === 'MASTER_KEY_MISSING'

describe('a sealed secret', () => {
  for (const plain of ['hunter2', '', '密码 😀', 'x'.repeat(100_000)]) {
    it(`opens again: ${plain.slice(0, 20) || '(empty)'}`, () => {
      const sealed = secrets.seal(plain, 'env:A')
      assert.ok(isSealed(sealed))
      assert.equal(secrets.open(sealed, 'env:A'), plain)
    })
  }

  it('does not show its text, and looks different every time', () => {
    const sealed = secrets.seal('hunter2', 'env:A')
    assert.ok(!Buffer.from(sealed.split(':').at(-1) ?? '', 'base64').includes('hunter2'))
    assert.notEqual(sealed, secrets.seal('hunter2', 'env:A'))
  })

  it('does not open with another key, and the error says what to do', () => {
    const other = createSecrets(() => randomBytes(32))
    assert.throws(
      () => other.open(secrets.seal('hunter2', 'env:A'), 'env:A'),
      (error) => missing(error) && /env:A/.test(String(error)) && /BPMN_RELAY_MASTER_KEY/.test(String(error)),
    )
  })

  it('does not open in another row than its own', () => {
    assert.throws(() => secrets.open(secrets.seal('hunter2', 'env:A'), 'env:B'), missing)
  })

  it('does not open once a bit of it has changed', () => {
    const sealed = secrets.seal('hunter2', 'env:A')
    const [prefix, body] = [
      sealed.slice(0, sealed.lastIndexOf(':') + 1),
      sealed.slice(sealed.lastIndexOf(':') + 1),
    ]
    const bytes = Buffer.from(body, 'base64')
    for (const at of [0, 12, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      assert.throws(() => secrets.open(prefix + changed.toString('base64'), 'env:A'), missing)
    }
  })

  it('does not open once it was cut short, wherever', () => {
    const sealed = secrets.seal('hunter2', 'env:A')
    for (let length = 'sealed:v1:'.length; length < sealed.length - 3; length += 4) {
      assert.throws(() => secrets.open(sealed.slice(0, length), 'env:A'), missing, `${length} characters`)
    }
  })
})

describe('the master key', () => {
  it('is asked for at the first secret only', () => {
    let asked = 0
    const lazy = createSecrets(() => {
      asked += 1
      return key
    })
    assert.equal(asked, 0)
    lazy.open(lazy.seal('a', 'p'), 'p')
    assert.equal(asked, 1)
  })

  it('is the configured one', () => {
    assert.deepEqual(masterKeyFrom({ configured: key.toString('base64'), keyFile: undefined }), key)
  })

  it('of a wrong length is refused, with the length and the cure but not the key', () => {
    const short = randomBytes(31).toString('base64')
    assert.throws(
      () => masterKeyFrom({ configured: short, keyFile: undefined }),
      (error) =>
        missing(error) &&
        /31 bytes.*32 bytes.*openssl rand -base64 32/.test(String(error)) &&
        !String(error).includes(short),
    )
  })

  it('is demanded where there is neither a configured one nor a place for a file', () => {
    assert.throws(
      () => masterKeyFrom({ configured: undefined, keyFile: undefined }),
      (error) => missing(error) && /BPMN_RELAY_MASTER_KEY/.test(String(error)),
    )
  })

  it('is made once in its file, which only its owner can read', async (t) => {
    const keyFile = path.join(await folderOf(t), 'new', 'master.key')
    const made = masterKeyFrom({ configured: undefined, keyFile })
    assert.equal(made.length, 32)
    assert.equal((await stat(keyFile)).mode & 0o777, 0o600)
    assert.deepEqual(masterKeyFrom({ configured: undefined, keyFile }), made)
  })

  it('is the same for processes that make it at the same moment', async (t) => {
    const keyFile = path.join(await folderOf(t), 'master.key')
    const script = `
      const { masterKeyFrom } = await import(${JSON.stringify(new URL('../../../src/adapters/secrets.ts', import.meta.url).href)})
      while (Date.now() < Number(process.argv[1])) {}
      console.log(masterKeyFrom({ configured: undefined, keyFile: process.argv[2] }).toString('base64'))`
    const start = String(Date.now() + 3000)
    const args = ['--import', 'tsx', '--input-type=module', '-e', script, start, keyFile]
    const keys = await Promise.all(
      Array.from({ length: 4 }, async () =>
        (await promisify(execFile)(process.execPath, args)).stdout.trim(),
      ),
    )
    assert.deepEqual(new Set(keys), new Set([(await readFile(keyFile, 'utf8')).trim()]))
  })
})

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'bpmn-relay-secrets-'))
  t.after(() => rm(folder, { recursive: true }))
  return folder
}
