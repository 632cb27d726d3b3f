import { randomUUID } from 'node:crypto'
import MQClientAPI from 'ali-ons/lib/mq_client_api.js'
import { pause } from '../src/core/time-limit.js'

const QUEUES = 4
const READ_AND_WRITE = 0b110
const TIMEOUT_MS = 5000
/** A proxy that was asked for a topic too early goes on saying for some seconds that there is none. */
const SETTLE_MS = 2000

/** New topics that are ready to be written, over either protocol. */
export async function createRocketmqTopics(nameServer: string, count: number): Promise<string[]> {
  return await withClient(nameServer, async (client) => {
    const topics = Array.from({ length: count }, () => `bench-road-${randomUUID()}`)
    for (const { address } of await queuesOf(client, 'SELF_TEST_TOPIC')) {
      for (const topicName of topics) {
        const queues = { readQueueNums: QUEUES, writeQueueNums: QUEUES, perm: READ_AND_WRITE, order: false }
        const rest = { topicFilterType: 'SINGLE_TAG', topicSysFlag: 0 } as const
        await client.createTopic(address, 'TBW102', { topicName, ...queues, ...rest }, TIMEOUT_MS)
      }
    }
    await pause(SETTLE_MS)
    return topics
  })
}

export async function messagesInRocketmq(nameServer: string, topic: string): Promise<number> {
  return await withClient(nameServer, async (client) => {
    let sum = 0
    for (const { address, queues } of await queuesOf(client, topic)) {
      for (let id = 0; id < queues; id++) sum += await client.getMaxOffset(address, topic, id, TIMEOUT_MS)
    }
    return sum
  })
}

async function queuesOf(client: MQClientAPI, topic: string): Promise<{ address: string; queues: number }[]> {
  const route = await client.getTopicRouteInfoFromNameServer(topic, TIMEOUT_MS)
  return (route?.queueDatas ?? []).flatMap(({ brokerName, writeQueueNums }) => {
    const broker = route?.brokerDatas.find((each) => each.brokerName === brokerName)
    const address = broker?.brokerAddrs['0']
    return address === undefined ? [] : [{ address, queues: writeQueueNums }]
  })
}

async function withClient<T>(nameServer: string, ask: (client: MQClientAPI) => Promise<T>): Promise<T> {
  const logger = { debug() {}, info() {}, warn() {}, error() {} }
  const client = new MQClientAPI({
    nameSrv: [nameServer],
    httpclient: {},
    logger,
    connectTimeout: TIMEOUT_MS,
  })
  client.on('error', () => undefined)
  await client.ready()
  try {
    return await ask(client)
  } finally {
    await client.close()
  }
}
