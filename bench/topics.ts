import kafkajs, { type Admin, Kafka, logLevel } from 'kafkajs'
import { pause } from '../src/core/time-limit.js'

// CommonJS: Node.js sees it only on the default export.
const { KafkaJSError } = kafkajs

const PARTITIONS = 3
const READY_LIMIT_MS = 60_000
const READY_LOOK_MS = 200

/** A new topic that is ready to be written; its name is returned. */
export async function createTopic(
  bootstrapServers: string,
  topic: string,
  partitions = PARTITIONS,
): Promise<string> {
  await createTopics(bootstrapServers, [topic], partitions)
  return topic
}

export async function createTopics(
  bootstrapServers: string,
  names: readonly string[],
  partitions = PARTITIONS,
): Promise<void> {
  await withAdmin(bootstrapServers, async (admin) => {
    const topics = names.map((topic) => ({
      topic,
      numPartitions: partitions,
      // Deleted, their files go at once: a run writes gigabytes.
      configEntries: [{ name: 'file.delete.delay.ms', value: '100' }],
    }))
    await admin.createTopics({ waitForLeaders: false, topics })
    const limit = AbortSignal.timeout(READY_LIMIT_MS)
    while (!(await areReady(admin, names))) {
      limit.throwIfAborted()
      await pause(READY_LOOK_MS, limit)
    }
  })
}

/** A broker names the leaders of new partitions before it takes messages for them, but knows no offsets then. */
async function areReady(admin: Admin, topics: readonly string[]): Promise<boolean> {
  try {
    for (const topic of topics) await admin.fetchTopicOffsets(topic)
    return true
  } catch (error) {
    if (error instanceof KafkaJSError) return false
    throw error
  }
}

export async function deleteTopics(bootstrapServers: string, topics: readonly string[]): Promise<void> {
  await withAdmin(bootstrapServers, (admin) => admin.deleteTopics({ topics: [...topics] }))
}

export async function messagesIn(bootstrapServers: string, topics: readonly string[]): Promise<number> {
  return await withAdmin(bootstrapServers, async (admin) => {
    const ends = await Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic)))
    return ends.flat().reduce((sum, { high }) => sum + Number(high), 0)
  })
}

async function withAdmin<T>(bootstrapServers: string, ask: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  try {
    return await ask(admin)
  } finally {
    await admin.disconnect()
  }
}
