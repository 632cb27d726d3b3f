import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commandLine } from '../../helpers/cli.js'
import { createTopic, readTopic } from '../../helpers/kafka.js'
import { newName, operator, shared } from '../../helpers/operator.js'
import { createRelay } from '../../helpers/relay.js'
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

  it('that is disabled holds its jobs until it is enabled again', async (t) => {
    const relay = await createRelay(t)
    const cli = await commandLine(t)
    const { name } = await relay.adapter({ kind: 'kafka' })
    const turn = async (verb: 'enable' | 'disable') => {
      const { stdout } = await cli.run(['adapter', verb, name], { env: { DATABASE_URL: relay.database.url } })
      assert.match(stdout, new RegExp(`^Adapter "${name}" is ${verb}d`))
    }
    const topic = await createTopic(shared())
    await turn('disable')
    await relay.startWorker()
    const processId = await relay.deploy('kafka', { inputs: { adapterId: name, topic, message: 'm' } })
    const running = relay.processes.run(processId)
    const held = await relay.gateway.accepted('fail')
    assert.match(held.message, /^ADAPTER_DISABLED: /)
    await turn('enable')
    await running
    assert.equal((await readTopic(shared(), topic, 1)).length, 1)
  })

  it('that is disabled publishes nothing for operators either', async (t) => {
    const { ok, refused } = await operator(t)
    await ok(['adapter', 'disable', 'broker'])
    const { stderr } = await refused(['produce', '--topic', newName()], 'm')
    assert.match(stderr, /^ADAPTER_DISABLED: .*adapter enable/)
  })
})
