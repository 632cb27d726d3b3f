import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { ERRORS_PAGE, errorsPage } from '../../scripts/doc-pages.js'
import { ERRORS } from '../../src/core/errors.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const page = readFileSync(path.join(root, ERRORS_PAGE), 'utf8')
const codes = Object.keys(ERRORS)

const sources = readdirSync(path.join(root, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== path.join('core', 'errors.ts'))
  .map((file) => readFileSync(path.join(root, 'src', file), 'utf8'))
  .join('\n')

/** Codes that only one of program and page knows. */
function strangers(text: string): string[] {
  const documented = [...text.matchAll(/^\| `([A-Z_]+)` \|/gm)].map(([, code]) => code ?? '')
  return [
    ...codes.filter((code) => !documented.includes(code)),
    ...documented.filter((code) => !codes.includes(code)),
  ]
}

/** Codes that no error is made with. */
function unused(text: string): string[] {
  return codes.filter((code) => !text.includes(`'${code}'`))
}

describe('docs/errors.md', () => {
  it('has the table the program makes (else: npm run docs)', () => {
    assert.equal(page, errorsPage(page))
  })

  it('lists every code the program can give, and no other', () => {
    assert.deepEqual(strangers(page), [])
  })

  it('is found out when it lacks a code or makes one up', () => {
    assert.deepEqual(strangers(page.replaceAll('`TOPIC_UNKNOWN`', '`TOPIC_GONE`')), [
      'TOPIC_UNKNOWN',
      'TOPIC_GONE',
    ])
  })

  it('lists no code that nothing uses', () => {
    assert.deepEqual(unused(sources), [])
  })

  it('is found out when a code goes out of use', () => {
    assert.deepEqual(unused(sources.replaceAll("'ENV_IN_USE'", "'ENV_UNKNOWN'")), ['ENV_IN_USE'])
  })
})
