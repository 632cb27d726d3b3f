import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { installServer, type JavaServer } from '../../src/stack/maven.js'

const PROGRAMS = fileURLToPath(new URL('../java/', import.meta.url))

/** Starts Java with the jars of a local server: a class of theirs, or a program of test/java by its file name. */
export async function startJava(
  server: JavaServer,
  program: string,
  args: string[],
  flags: string[] = [],
): Promise<ChildProcessWithoutNullStreams> {
  const { java, files } = await installServer(server, () => undefined)
  const main = program.endsWith('.java') ? path.join(PROGRAMS, program) : program
  const jars = path.join(files, '*')
  // They end before the optimizing compiler would have paid.
  const economy = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
  return spawn(java.program, [...economy, ...flags, '-cp', jars, main, ...args])
}

/** As `startJava`; resolves to what the program prints, and rejects with its complaints if it fails. */
export async function runJava(
  server: JavaServer,
  program: string,
  args: string[],
  { input = '', flags = [] }: { input?: string; flags?: string[] } = {},
): Promise<string> {
  const child = await startJava(server, program, args, flags)
  child.stdin.end(input)
  const closed = once(child, 'close')
  const [out, complaints] = await Promise.all([text(child.stdout), text(child.stderr)])
  await closed
  if (child.exitCode === 0) return out
  throw new Error(`${program} ended with ${child.exitCode ?? child.signalCode}:\n${complaints}`)
}
