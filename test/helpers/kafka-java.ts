import { runJava } from './java.js'

/** As `runJava`, with Kafka's own jars. */
export function runKafkaJava(program: string, args: string[], input = ''): Promise<string> {
  return runJava('kafka', program, args, { input })
}
