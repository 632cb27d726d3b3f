import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { jvmCommand } from '../stack/jvm.js'
import { installServer, type JavaServer } from '../stack/maven.js'

/** A message as a broker holds it. */
export interface StoredMessage {
  /** The header or property `x-request-id`. */
  requestId: string
  /** `partition 1, offset 4` or `queue 1, offset 4`. */
  place: string
  body: string
}

export interface ReadOptions {
  /** For what the tools write besides. */
  folder: string
  signal: AbortSignal
}

const TOOL_LIMIT_MS = 60_000
const HEAP_MB = 256

// What landed is read by the brokers' own command line tools, which come with the servers: the library that sent a
// message proves little when it is also the one that reads it back.

/** Every message of a Kafka topic. Bodies must hold no line breaks or tabs. */
export async function readKafkaTopic(
  bootstrapServers: string,
  topic: string,
  options: ReadOptions,
): Promise<StoredMessage[]> {
  const where = ['--bootstrap-server', bootstrapServers, '--topic', topic]
  const ends = await runTool('kafka', ['org.apache.kafka.tools.GetOffsetShell', ...where], options)
  const count = ends
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line.split(':')[2]), 0)
  if (count === 0) return []
  const shown = ['partition', 'offset', 'headers'].flatMap((part) => ['--property', `print.${part}=true`])
  const output = await runTool(
    'kafka',
    [
      'org.apache.kafka.tools.consumer.ConsoleConsumer',
      ...where,
      ...['--from-beginning', '--max-messages', String(count), '--timeout-ms', '30000'],
      ...shown,
    ],
    options,
  )
  const line = /^Partition:(\d+)\tOffset:(\d+)\t(\S*)\t(.*)$/gm
  return [...output.matchAll(line)].map(([, partition, offset, headers, body]) => ({
    requestId: /x-request-id:([^,]*)/.exec(headers ?? '')?.[1] ?? '',
    place: `partition ${partition}, offset ${offset}`,
    body: body ?? '',
  }))
}

/** Every message of a RocketMQ topic. Bodies must hold no line breaks. */
export async function readRocketmqTopic(
  nameServer: string,
  topic: string,
  options: ReadOptions,
): Promise<StoredMessage[]> {
  const main = 'org.apache.rocketmq.tools.command.MQAdminStartup'
  const output = await runTool('rocketmq', [main, 'printMsg', '-n', nameServer, '-t', topic], options)
  const line = /^MSGID: .*?queueId=(\d+).*?queueOffset=(\d+).*?x-request-id=([^,}]*).* BODY: (.*)$/gm
  return [...output.matchAll(line)].map(([, queue, offset, requestId, body]) => ({
    requestId: requestId ?? '',
    place: `queue ${queue}, offset ${offset}`,
    body: body ?? '',
  }))
}

async function runTool(server: JavaServer, main: string[], { folder, signal }: ReadOptions): Promise<string> {
  const { java, files } = await installServer(server, () => undefined)
  const { command, args, env } = await jvmCommand(java, folder, HEAP_MB, [
    '-cp',
    path.join(files, '*'),
    ...main,
  ])
  const { stdout } = await promisify(execFile)(command, args, {
    ...{ env, cwd: folder, signal, timeout: TOOL_LIMIT_MS, killSignal: 'SIGKILL' as const },
    maxBuffer: 64 * 1024 * 1024,
  })
  return stdout
}
