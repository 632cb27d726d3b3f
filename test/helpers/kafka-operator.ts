import type { TestContext } from 'node:test'
import { KafkaClients, openSocket } from '../../src/brokers/kafka/client.js'
import { createKafkaOperator, type KafkaOperator } from '../../src/brokers/kafka/operator.js'
import { parseKafkaSettings } from '../../src/brokers/kafka/settings.js'
import { silentLog } from '../../src/core/log.js'

/** What operators can do with the Kafka at the address. Closed at the end of the test. */
export function kafkaOperator(t: TestContext, bootstrapServers: string): KafkaOperator {
  const settings = parseKafkaSettings(bootstrapServers, {})
  const clients = new KafkaClients(settings, openSocket, silentLog)
  const operator = createKafkaOperator(settings, clients, silentLog)
  t.after(() => operator.close())
  return operator
}
