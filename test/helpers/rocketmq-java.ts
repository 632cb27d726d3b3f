import os from 'node:os'
import path from 'node:path'
import { runJava } from './java.js'

/** The Java client writes its log below the home folder, whatever that is. */
const FLAGS = [`-Duser.home=${path.join(os.tmpdir(), 'bpmn-relay-test-java')}`]
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
