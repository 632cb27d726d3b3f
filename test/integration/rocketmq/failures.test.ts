import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { failure, message, settled } from '../../contract/broker-contract.js'
import { answerSwallower } from '../../helpers/answer-swallower.js'
import { brokerAddress, connect, createTopic, readTopic } from '../../helpers/rocketmq.js'
import { testServers } from '../../helpers/servers.js'
import { hangingServer } from '../../helpers/unwell-servers.js'

const { nameServer, proxyEndpoint } = testServers().rocketmq
const protocols = [
  { protocol: 'remoting', address: nameServer, losingAnswers: losingAnswersOfBroker },
  { protocol: 'grpc', address: proxyEndpoint, losingAnswers: losingAnswersOfProxy },
]

test('a large body survives a repeated send unchanged', async (t) => {
  const topic = await createTopic(nameServer)
  const { through, loseNext } = await losingAnswersOfBroker(t)
  const connection = connect(t, through)
  await connection.publish(message(topic, 'warm-up'))
  loseNext()
  const value = 'compressible '.repeat(1000)

  await connection.publish(message(topic, value))

  const copies = (await readTopic(nameServer, topic, 3)).map(({ body }) => String(body))
  assert.deepEqual(copies.sort(), [value, value, 'warm-up'])
})

test('two adapters with two name servers never share a client', async (t) => {
  const topic = await createTopic(nameServer)
  const healthy = connect(t, nameServer)
  const elsewhere = connect(t, (await hangingServer(t)).address, { connectTimeoutMs: 300, retries: 0 })
  await healthy.publish(message(topic, 'here'))

  const error = failure(await settled(elsewhere.publish(message(topic, 'not here'))))

  assert.equal(error.retryable, true)
  assert.deepEqual(
    (await readTopic(nameServer, topic, 1)).map(({ body }) => String(body)),
    ['here'],
  )
})

for (const { protocol, address, losingAnswers } of protocols) {
  describe(`over ${protocol}`, () => {
    test('messages whose common answer is lost are repeated, each under its own id', async (t) => {
      const topic = await createTopic(nameServer)
      const values = ['a', 'b', 'c']
      const { through, loseNext } = await losingAnswers(t)
      const connection = connect(t, through, { protocol })
      await connection.publish(message(topic, 'warm-up'))
      loseNext()

      const receipts = await Promise.all(values.map((value) => connection.publish(message(topic, value))))

      const read = await readTopic(nameServer, topic, 1 + 2 * values.length)
      for (const [index, receipt] of receipts.entries()) {
        const copies = read.filter(({ body }) => String(body) === values[index])
        assert.deepEqual(
          copies.map(({ messageId }) => messageId),
          Array(2).fill(receipt.kind === 'rocketmq' && receipt.messageId),
        )
      }
    })

    test('messages of a group behind a broker that hangs all settle within the budget', async (t) => {
      const { address: hanging } = await hangingServer(t)
      const connection = connect(t, hanging, {
        protocol,
        connectTimeoutMs: 500,
        sendTimeoutMs: 500,
        retries: 1,
      })
      const start = performance.now()

      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, () => connection.publish(message('t', 'x', { messageGroup: 'g' }))),
      )

      const took = performance.now() - start
      assert.ok(took <= connection.publishBudgetMs, `took ${took} ms of ${connection.publishBudgetMs} ms`)
      assert.ok(outcomes.every((outcome) => failure(outcome).retryable))
    })

    test('check fails on a server that accepts and never answers', async (t) => {
      const { address: hanging } = await hangingServer(t)
      const connection = connect(t, hanging, { protocol, connectTimeoutMs: 500 })

      assert.equal(failure(await settled(connection.check())).code, 'BROKER_TIMEOUT')
    })

    test('a connection that published and was closed lets its process end and writes nothing', async (t) => {
      const home = await mkdtemp(path.join(os.tmpdir(), 'rocketmq-home-'))
      t.after(() => rm(home, { recursive: true }))
      const topic = await createTopic(nameServer)
      const program = new URL('./publish-and-close.ts', import.meta.url).pathname

      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        ['--import', 'tsx', program, address, protocol, topic],
        { env: { ...process.env, HOME: home }, timeout: 20_000 },
      )

      assert.deepEqual({ stdout, stderr, home: await readdir(home) }, { stdout: '', stderr: '', home: [] })
      assert.equal((await readTopic(nameServer, topic, 1)).length, 1)
    })
  })
}

/** An address to connect to, and a way to lose the answer to what is sent next. */
interface LosingAnswers {
  through: string
  loseNext(): void
}

async function losingAnswersOfBroker(t: TestContext): Promise<LosingAnswers> {
  const broker = await answerSwallower(t, await brokerAddress(nameServer))
  const names = await answerSwallower(t, nameServer, broker)
  return { through: names.address, loseNext: () => broker.swallowNext('queueOffset') }
}

async function losingAnswersOfProxy(t: TestContext): Promise<LosingAnswers> {
  const proxy = await answerSwallower(t, proxyEndpoint)
  // The proxy names its own address in routes; this one also puts itself there.
  proxy.redirectTo(proxy)
  return { through: proxy.address, loseNext: () => proxy.swallowNext('OK') }
}
