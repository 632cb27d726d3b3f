import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { newName, operator } from '../../helpers/operator.js'
import { deadAddress } from '../../helpers/unwell-servers.js'

describe('adapter', () => {
  it('is tested by a real connection', async (t) => {
    const { ok } = await operator(t)
    assert.match(
      await ok(['adapter', 'test', 'broker']),
      /^Adapter "broker" works: \S+ answered within \d+ ms/,
    )
  })

  it('of RocketMQ is tested likewise', async (t) => {
    const { ok } = await operator(t, { kind: 'rocketmq' })
    assert.match(await ok(['adapter', 'test', 'broker']), /works/)
  })

  it('that cannot connect is told why', async (t) => {
    const { refused } = await operator(t, { address: await deadAddress() })
    const { code, stderr } = await refused(['adapter', 'test', 'broker'])
    assert.equal(code, 1)
    assert.match(stderr, /^BROKER_UNREACHABLE: Kafka at 127\.0\.0\.1:\d+ failed while .*ECONNREFUSED/)
  })

  it('that is disabled publishes nothing for operators either', async (t) => {
    const { ok, refused } = await operator(t)
    await ok(['adapter', 'disable', 'broker'])
    const { stderr } = await refused(['produce', '--topic', newName()], 'm')
    assert.match(stderr, /^ADAPTER_DISABLED: .*adapter enable/)
  })
})
