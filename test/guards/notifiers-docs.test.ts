import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { NOTIFIERS_PAGE, notifiersPage } from '../../scripts/doc-pages.js'
import { signStandard, standardKey } from '../../src/alerts/notifiers/signatures.js'

const page = readFileSync(new URL(`../../${NOTIFIERS_PAGE}`, import.meta.url), 'utf8')

describe('docs/notifiers.md', () => {
  it('has the tables the program makes (else: npm run docs)', () => {
    assert.equal(page, notifiersPage(page))
  })

  it('has an example that knows genuine requests from others', async (t) => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'example-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const file = path.join(folder, 'example.mjs')
    writeFileSync(file, /```js\n(.*?)```/s.exec(page)?.[1] ?? '')
    const { isGenuine } = await import(file)
    const secret = `whsec_${Buffer.from('0123456789abcdef01234567').toString('base64')}`
    const seconds = 1_700_000_000
    const signature = signStandard(standardKey(secret) ?? assert.fail(), 'id', seconds, 'body')
    const headers = {
      'webhook-id': 'id',
      'webhook-timestamp': String(seconds),
      'webhook-signature': signature,
    }
    const now = (seconds + 10) * 1000
    assert.equal(isGenuine(secret, headers, 'body', now), true)
    assert.equal(isGenuine(secret, headers, 'other body', now), false)
    assert.equal(isGenuine(secret, { ...headers, 'webhook-id': 'other' }, 'body', now), false)
    assert.equal(isGenuine(secret, headers, 'body', now + 600_000), false)
    assert.equal(isGenuine(secret, {}, 'body', now), false)
  })
})
