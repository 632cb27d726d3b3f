import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { message, settled } from '../../contract/broker-contract.js'
import { answerSwallower } from '../../helpers/answer-swallower.js'
import { consume, newGroup, type Subscribe, textOf } from '../../helpers/consuming.js'
import { ownRocketmq } from '../../helpers/own-rocketmq.js'
import { brokerAddress, connect, createTopic, subscribeOver } from '../../helpers/rocketmq.js'
import { testServers } from '../../helpers/servers.js'
import { hangingServer } from '../../helpers/unwell-servers.js'
import { waitFor } from '../../helpers/wait-for.js'

const { nameServer } = testServers().rocketmq
const LONG_MS = 120_000

function over(address: string, protocol = 'remoting'): Subscribe {
  return subscribeOver(address, { protocol, connectTimeoutMs: 2000 })
}

// Over gRPC that takes minutes: proxies hold on to what they gave to a member until it has been silent for two.
test('what a member had when it was killed goes to the others of its group', async (t) => {
  const topic = await createTopic(nameServer)
  const group = newGroup()
  const publisher = connect(t, nameServer)
  const killed = await memberProcess(nameServer, topic, group)
  t.after(() => killed.kill())
  const values = Array.from({ length: 300 }, (_, i) => `${i}`)
  const { messages } = await consume(t, over(nameServer), { group, topics: [{ topic }] })
  // One after the other, so that they spread over the queues.
  for (const value of values) await publisher.publish(message(topic, value))
  await waitFor('the other member to have some', () => killed.lines().length > 10)
  const taken = killed.lines().slice(1)

  killed.kill()

  await waitFor('all messages', () => new Set(messages.map(textOf)).size === 300)
  assert.ok(taken.every((value) => values.includes(value)))
})

test('consuming goes on by itself after all connections were cut', async (t) => {
  const topic = await createTopic(nameServer)
  const publisher = connect(t, nameServer)
  const broker = await answerSwallower(t, await brokerAddress(nameServer))
  const names = await answerSwallower(t, nameServer, broker)
  const { messages, subscription } = await consume(t, over(names.address), { topics: [{ topic }] })

  for (let i = 0; i < 60; i++) {
    if (i % 20 === 10) {
      broker.cutAll()
      names.cutAll()
    }
    await publisher.publish(message(topic, `${i}`))
  }

  await waitFor('all messages', () => new Set(messages.map(textOf)).size === 60)
  await waitFor('the error to be over', () => subscription.status().error === undefined)
})

test('consuming goes on while the name server answers nothing', async (t) => {
  const topic = await createTopic(nameServer)
  const publisher = connect(t, nameServer)
  const names = await answerSwallower(t, nameServer)
  const { messages } = await consume(t, over(names.address), { topics: [{ topic }] })
  names.refuseRequests('{')
  names.cutAll()

  await publisher.publish(message(topic, 'x'))

  await waitFor('the message', () => messages.length === 1)
})

test('a name server that hangs is passed over for the next of the list', async (t) => {
  const topic = await createTopic(nameServer)
  const publisher = connect(t, nameServer)
  const { address } = await hangingServer(t)
  const { messages } = await consume(t, over(`${address};${nameServer}`), { topics: [{ topic }] })

  await publisher.publish(message(topic, 'x'))

  await waitFor('the message', () => messages.length === 1)
})

test('nothing is lost over either protocol when broker and name server are killed and come back', async (t) => {
  const own = await ownRocketmq()
  t.after(() => own.stop())
  const topic = await createTopic(own.nameServer)
  const publisher = connect(t, own.nameServer, { sendTimeoutMs: 1000 })
  const consumers = [
    await consume(t, over(own.nameServer), { topics: [{ topic }] }),
    await consume(t, over(own.proxyEndpoint, 'grpc'), { topics: [{ topic }] }),
  ]
  const acknowledged: string[] = []
  let isBack = false
  const publishing = (async () => {
    let afterwards = 0
    for (let i = 0; afterwards < 100; i++) {
      const outcome = await settled(publisher.publish(message(topic, `${i}`)))
      if (outcome?.status !== 'fulfilled') continue
      acknowledged.push(`${i}`)
      if (isBack) afterwards++
    }
  })()
  await waitFor('some messages', () => consumers.every(({ messages }) => messages.length > 100))

  await Promise.all([own.killBroker(), own.killNameServer()])
  await waitFor('the outage to be noticed', () =>
    consumers.every(({ subscription }) => subscription.status().error !== undefined),
  )
  await own.restart()
  isBack = true
  await publishing

  for (const { messages, subscription } of consumers) {
    const missing = () => {
      const handled = new Set(messages.map(textOf))
      return acknowledged.filter((value) => !handled.has(value))
    }
    await waitFor('all acknowledged messages', () => missing().length === 0, LONG_MS)
    await waitFor('the error to be over', () => subscription.status().error === undefined, LONG_MS)
  }
})

async function memberProcess(...args: string[]) {
  const program = fileURLToPath(new URL('./consume-and-hang.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  const lines = () => out.trim().split('\n')
  await waitFor('the member to join', () => out.startsWith('joined\n'))
  return { lines, kill: () => child.kill('SIGKILL') }
}
