import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { type ServerCommand, serverEnvironment } from './held-server.js'
import type { Java } from './java.js'

/** What every server of ours on a JVM shares: a small footprint, and nothing written outside its own folder. */
export async function jvmCommand(
  java: Java,
  folder: string,
  heapMb: number,
  args: string[],
): Promise<Omit<ServerCommand, 'ports'>> {
  const temporary = path.join(folder, 'tmp')
  await mkdir(temporary, { recursive: true })
  return {
    command: java.program,
    args: [
      `-Xmx${heapMb}m`,
      // Two cores shared by all servers: parallel collectors would only compete with the work.
      '-XX:+UseSerialGC',
      '-XX:-UsePerfData',
      '-XX:+ExitOnOutOfMemoryError',
      `-Djava.io.tmpdir=${temporary}`,
      `-Duser.home=${folder}`,
      ...args,
    ],
    env: serverEnvironment(folder, { JAVA_HOME: java.home }),
    stopSignal: 'SIGTERM',
  }
}
