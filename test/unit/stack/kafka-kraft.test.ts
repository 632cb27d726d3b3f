import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newClusterId } from '../../../src/stack/kafka-kraft.js'

test('a cluster id never begins like an option of the tool it is given to', () => {
  const drawn = [Buffer.alloc(16, 0xfb), Buffer.alloc(16, 0)]
  const id = newClusterId(() => drawn.shift() ?? Buffer.alloc(16, 1))
  assert.equal(Buffer.alloc(16, 0xfb).toString('base64url')[0], '-')
  assert.equal(id, 'AAAAAAAAAAAAAAAAAAAAAA')
})
