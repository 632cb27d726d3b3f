import { type Admin, Kafka, logLevel } from 'kafkajs'

const PARTITIONS = 3

/** A new topic that is ready to be written; its name is returned. */
export async function createTopic(bootstrapServers: string, topic: string): Promise<string> {
  return await withAdmin(bootstrapServers, async (admin) => {
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: PARTITIONS }] })
    return topic
  })
}

export async function messagesIn(bootstrapServers: string, topic: string): Promise<number> {
  return await withAdmin(bootstrapServers, async (admin) => {
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.reduce((sum, { high }) => sum + Number(high), 0)
  })
}

async function withAdmin<T>(bootstrapServers: string, ask: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR }).admin()
  await admin.connect()
  try {
    return await ask(admin)
  } finally {
    await admin.disconnect()
  }
}
