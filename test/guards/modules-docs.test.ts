import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ACTIONS, SECTIONS } from '../../src/modules/format.js'

const page = readFileSync(new URL('../../docs/modules.md', import.meta.url), 'utf8')

describe('docs/modules.md', () => {
  for (const [section, { properties }] of Object.entries(SECTIONS)) {
    it(`names every field of ${section}`, () => {
      const row = page.split('\n').find((line) => line.startsWith(`| \`${section}\``)) ?? ''
      const named = [...row.matchAll(/`(\w+)`/g)].map(([, name]) => name)
      assert.deepEqual(
        Object.keys(properties).filter((field) => !named.includes(field)),
        [],
      )
    })
  }

  it('names every kind of action with its fields', () => {
    for (const { properties } of Object.values(ACTIONS)) {
      for (const field of Object.keys(properties)) assert.match(page, new RegExp(`\`${field}\``))
    }
  })
})
