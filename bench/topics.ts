import { Kafka, logLevel } from 'kafkajs'

const PARTITIONS = 3

/** A new topic that is ready to be written; its name is returned. */
export async function createTopic(bootstrapServers: string, topic: string): Promise<string> {
  const admin = new Kafka({ brokers: [bootstrapServers], logLevel: logLevel.ERROR }).admin()
  await admin.connect()
  try {
    await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: PARTITIONS }] })
    return topic
  } finally {
    await admin.disconnect()
  }
}
