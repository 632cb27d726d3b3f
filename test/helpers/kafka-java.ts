import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { runJava, startJava } from './java.js'

/** As `runJava`, with Kafka's own jars. */
export function runKafkaJava(program: string, args: string[], input = ''): Promise<string> {
  return runJava('kafka', program, args, { input })
}

/** As `runJava`, with the jars of the Java serializers that use a schema registry. */
export function runSerdesJava(program: string, args: string[], input = ''): Promise<string> {
  return runJava('schema-serdes', program, args, { input })
}

export interface JavaConsumer {
  /** In the order they came. */
  values: string[]
  /** Resolves when it has left its group. */
  leave(): Promise<void>
}

/** Kafka's own Java consumer; it leaves with the test at the latest. */
export async function consumeWithJava(
  t: TestContext,
  { bootstrapServers, group, topic }: { bootstrapServers: string; group: string; topic: string },
): Promise<JavaConsumer> {
  const assignor = 'org.apache.kafka.clients.consumer.RangeAssignor'
  const child = await startJava('kafka', 'KafkaConsume.java', [bootstrapServers, group, topic, assignor])
  const closed = once(child, 'close')
  t.after(() => child.kill('SIGKILL'))
  child.stderr.resume()
  const values: string[] = []
  createInterface(child.stdout).on('line', (line) => values.push(line))
  return {
    values,
    async leave() {
      child.stdin.write('leave\n')
      await closed
    },
  }
}
