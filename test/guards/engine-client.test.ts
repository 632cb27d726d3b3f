import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { it } from 'node:test'

// src/engine/zeebe.ts uses a private member of this client, which any other version may lack.
const VERSION = '8.3.2'

it(`zeebe-node is asked for and installed as ${VERSION} exactly`, () => {
  const read = (file: string | URL): { version?: string; dependencies?: Record<string, string> } =>
    JSON.parse(readFileSync(file, 'utf8'))
  assert.equal(read(new URL('../../package.json', import.meta.url)).dependencies?.['zeebe-node'], VERSION)
  assert.equal(read(createRequire(import.meta.url).resolve('zeebe-node/package.json')).version, VERSION)
})
