import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commandLine } from '../helpers/cli.js'
import { createTopic, readTopic } from '../helpers/kafka.js'
import { shared } from '../helpers/operator.js'
import { createRelay } from '../helpers/relay.js'

test('a disabled adapter holds its jobs until it is enabled again', async (t) => {
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
