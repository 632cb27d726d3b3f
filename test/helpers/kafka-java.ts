import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { installServer } from '../../src/stack/maven.js'

const PROGRAMS = fileURLToPath(new URL('../java/', import.meta.url))

/**
 * Runs Java with the jars of the local Kafka: a class of theirs, or a program of test/java by its file name. Resolves
 * to what it prints; rejects with its complaints if it fails.
 */
export function runKafkaJava(program: string, args: string[], input = ''): Promise<string> {
  return runJava('kafka', program, args, input)
}

/** As `runKafkaJava`, with the jars of the Java serializers that use a schema registry. */
export function runSerdesJava(program: string, args: string[], input = ''): Promise<string> {
  return runJava('schema-serdes', program, args, input)
}

async function runJava(
  jars: 'kafka' | 'schema-serdes',
  program: string,
  args: string[],
  input: string,
): Promise<string> {
  const { java, files } = await installServer(jars, () => undefined)
  const main = program.endsWith('.java') ? path.join(PROGRAMS, program) : program
  const child = spawn(java.program, [
    '-Xmx256m',
    '-XX:+UseSerialGC',
    // They end before the optimizing compiler would have paid.
    '-XX:TieredStopAtLevel=1',
    '-cp',
    path.join(files, '*'),
    main,
    ...args,
  ])
  child.stdin.end(input)
  const closed = once(child, 'close')
  const [out, complaints] = await Promise.all([text(child.stdout), text(child.stderr)])
  await closed
  if (child.exitCode === 0) return out
  throw new Error(`${program} ended with ${child.exitCode ?? child.signalCode}:\n${complaints}`)
}
