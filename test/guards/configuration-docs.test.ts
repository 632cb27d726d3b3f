import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { CONFIGURATION_PAGE, configurationPage } from '../../scripts/doc-pages.js'
import { configEntries } from '../../src/core/config.js'

const page = readFileSync(new URL(`../../${CONFIGURATION_PAGE}`, import.meta.url), 'utf8')

/** Variables that only one of program and page knows. */
function strangers(text: string): string[] {
  const documented = [...text.matchAll(/^\| `([A-Z][A-Z0-9_]*)` \|/gm)].map(([, name]) => name ?? '')
  const known = configEntries().map(({ env }) => env)
  return [
    ...known.filter((name) => !documented.includes(name)),
    ...documented.filter((name) => !known.includes(name)),
  ]
}

describe('docs/configuration.md', () => {
  it('is what the program makes of its own tables (else: npm run docs)', () => {
    assert.equal(page, configurationPage())
  })

  it('names every variable the program reads, and no other', () => {
    assert.deepEqual(strangers(page), [])
  })

  it('is found out when it lacks a variable or makes one up', () => {
    assert.deepEqual(strangers(page.replace('`DATABASE_URL`', '`DATABASE_URI`')), [
      'DATABASE_URL',
      'DATABASE_URI',
    ])
  })
})
