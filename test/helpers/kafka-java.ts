import { runJava } from './java.js'

/** As `runJava`, with Kafka's own jars. */
export function runKafkaJava(program: string, args: string[], input = ''): Promise<string> {
  return runJava('kafka', program, args, { input })
}

/** As `runJava`, with the jars of the Java serializers that use a schema registry. */
export function runSerdesJava(program: string, args: string[], input = ''): Promise<string> {
  return runJava('schema-serdes', program, args, { input })
}
