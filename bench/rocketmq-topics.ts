import { type BrokerOperator, capabilityOf } from '../src/brokers/operator.js'
import { createRocketmqDriver } from '../src/brokers/rocketmq/driver.js'
import { silentLog } from '../src/core/log.js'
import { pause } from '../src/core/time-limit.js'

/** A proxy that was asked for a topic too early goes on saying for some seconds that there is none. */
const SETTLE_MS = 2000

/** Resolves when the topics are ready to be written, over either protocol. */
export async function createRocketmqTopics(
  nameServer: string,
  names: readonly string[],
  queues: number,
): Promise<void> {
  await withOperator(nameServer, async (operator) => {
    const create = capabilityOf(operator, 'createTopic', 'rocketmq')
    for (const topic of names) await create({ topic, partitions: queues, configs: {} })
  })
  await pause(SETTLE_MS)
}

export async function deleteRocketmqTopics(nameServer: string, names: readonly string[]): Promise<void> {
  await withOperator(nameServer, async (operator) => {
    const deleteTopic = capabilityOf(operator, 'deleteTopic', 'rocketmq')
    for (const topic of names) await deleteTopic(topic)
  })
}

export async function messagesInRocketmq(nameServer: string, names: readonly string[]): Promise<number> {
  return await withOperator(nameServer, async (operator) => {
    const describe = capabilityOf(operator, 'describeTopic', 'rocketmq')
    let sum = 0
    for (const topic of names) {
      const description = await describe(topic)
      const queues = 'queues' in description ? description.queues : []
      for (const { endOffset } of queues) sum += Number(endOffset)
    }
    return sum
  })
}

async function withOperator<T>(
  nameServer: string,
  ask: (operator: BrokerOperator) => Promise<T>,
): Promise<T> {
  const driver = createRocketmqDriver()
  const operator = driver.operate(driver.parse(nameServer, {}), { adapter: 'bench', log: silentLog })
  try {
    return await ask(operator)
  } finally {
    await operator.close()
  }
}
