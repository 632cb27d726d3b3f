import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { TestContext } from 'node:test'
import { runJava, startJava } from './java.js'

/** The Java client writes its log below the home folder, whatever that is. */
const HOME = path.join(os.tmpdir(), 'bpmn-relay-test-java')
const FLAGS = [`-Duser.home=${HOME}`]
const ADMIN = 'org.apache.rocketmq.tools.command.MQAdminStartup'

export interface JavaMessage {
  topic: string
  body: string
  tag?: string
  keys?: string
  /** All messages of one go to the same queue. */
  messageGroup?: string
  properties?: Record<string, string>
  /** Of bodies above 4 KiB; default: zlib. */
  compression?: 'ZLIB' | 'LZ4' | 'ZSTD'
}

/** Sends messages one after the other with RocketMQ's own Java producer; resolves to their ids. */
export async function produceWithJava(nameServer: string, messages: JavaMessage[]): Promise<string[]> {
  const lines = messages.map(({ properties = {}, ...rest }) => {
    const fields = new URLSearchParams({ ...rest })
    for (const [name, value] of Object.entries(properties)) fields.set(`property.${name}`, value)
    return `${fields}\n`
  })
  const out = await runJava('rocketmq', 'RocketmqProduce.java', [nameServer], {
    input: lines.join(''),
    flags: FLAGS,
  })
  return out.trim().split('\n')
}

/** What `mqadmin` prints for the command. */
export function mqadmin(nameServer: string, command: string, ...args: string[]): Promise<string> {
  return runJava('rocketmq', ADMIN, [command, '-n', nameServer, ...args], { flags: FLAGS })
}

/** As `mqadmin`, with that of RocketMQ 4.9: later ones ask for what its brokers do not know. */
export async function mqadmin4(nameServer: string, command: string, ...args: string[]): Promise<string> {
  await mkdir(path.join(HOME, 'conf'), { recursive: true })
  await writeFile(path.join(HOME, 'conf', 'logback_tools.xml'), '<configuration/>')
  const flags = [...FLAGS, `-Drocketmq.home.dir=${HOME}`]
  return await runJava('rocketmq-4.9', ADMIN, [command, '-n', nameServer, ...args], { flags })
}

export interface JavaConsumer {
  /** Bodies, in the order they came. */
  bodies: string[]
  /** Resolves when it has left its group, its offsets written down. */
  leave(): Promise<void>
}

/** RocketMQ's own Java consumer, from the first message on; it leaves with the test at the latest. */
export async function consumeWithJava(
  t: TestContext,
  nameServer: string,
  group: string,
  topic: string,
): Promise<JavaConsumer> {
  const child = await startJava('rocketmq', 'RocketmqConsume.java', [nameServer, group, topic], FLAGS)
  const closed = once(child, 'close')
  t.after(() => child.kill('SIGKILL'))
  child.stderr.resume()
  const bodies: string[] = []
  createInterface(child.stdout).on('line', (line) => bodies.push(line))
  return {
    bodies,
    async leave() {
      child.stdin.end()
      await closed
    },
  }
}
