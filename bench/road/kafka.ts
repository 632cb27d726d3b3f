import type { Static } from 'typebox'
import type { Bench } from '../benchmark.js'
import { Child } from '../child.js'
import { type RawLoad, Sent } from '../loads.js'
import { createTopics, deleteTopics, messagesIn } from '../topics.js'
import type { Destination, Road } from './children.js'

/** kafkajs at its best: so many messages a send, one send after the other. */
const RAW_MESSAGES = 500
/** Of one partition in one send: what topics take by default, 1,048,588, and room for what records add. */
const RAW_PARTITION_BYTES = 900_000

export type KafkaRoad = Road<Static<typeof RawLoad>>

/** Beside bpmn-relay goes kafkajs. */
export function kafka({ servers }: Bench): Destination<Static<typeof RawLoad>> {
  const { bootstrapServers } = servers.kafka
  return {
    taskType: 'Kafka Producer',
    async startRaw() {
      const child = await Child.start('road-raw', { bootstrapServers })
      return { send: (load) => child.ask(load, Sent), stop: () => child.stop() }
    },
    createTopics: (names, partitions) => createTopics(bootstrapServers, names, partitions),
    deleteTopics: (names) => deleteTopics(bootstrapServers, names),
    messagesIn: (names) => messagesIn(bootstrapServers, names),
  }
}

/** Messages of one kafkajs send of values of this size: 500, or as many as the partitions take. */
export function rawPerSend(bytes: number, partitions: number): number {
  return Math.min(RAW_MESSAGES, Math.floor((partitions * RAW_PARTITION_BYTES) / bytes))
}
