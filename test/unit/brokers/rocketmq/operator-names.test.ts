import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { adapterName, serverName } from '../../../../src/brokers/rocketmq/operator-names.js'
import { parseSettings } from '../../../../src/brokers/rocketmq/settings.js'

const inShop = parseSettings('names:9876', { namespace: 'shop' })
const anywhere = parseSettings('names:9876', {})

describe('names of an adapter with a namespace', () => {
  const pairs = [
    ['orders', 'shop%orders'],
    ['%RETRY%readers', '%RETRY%shop%readers'],
    ['%DLQ%readers', '%DLQ%shop%readers'],
  ] as const
  for (const [ours, theirs] of pairs) {
    it(`stand for others on the servers: ${ours} for ${theirs}`, () => {
      assert.deepEqual([serverName(ours, inShop), adapterName(theirs, inShop)], [theirs, ours])
    })
  }

  it('are those of its namespace alone', () => {
    assert.deepEqual(
      ['orders', 'shops%orders', '%RETRY%readers'].map((name) => adapterName(name, inShop)),
      [undefined, undefined, undefined],
    )
  })
})

describe('names of an adapter without a namespace', () => {
  it('are those on the servers', () => {
    for (const name of ['orders', 'shop%orders', '%DLQ%readers']) {
      assert.deepEqual([serverName(name, anywhere), adapterName(name, anywhere)], [name, name])
    }
  })
})
