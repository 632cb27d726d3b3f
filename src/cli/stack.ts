import path from 'node:path'
import type { Command } from 'commander'
import { firstSignal, unlessStopped } from './signals.js'

/** Beside the embedded Postgres of the program, whose data a stack must not remove. */
export const STACK_FOLDER = path.join('.bpmn-relay', 'stack')

export function addStackCommands(program: Command): void {
  program
    .command('stack')
    .description('Real servers on this machine, to try things out: Postgres, Zeebe, Kafka and RocketMQ.')
    .command('up')
    .description('Start all of them, empty and on free ports, until Ctrl-C.')
    .option(
      '--data-folder <folder>',
      'where they keep their data; what an earlier stack left is removed',
      STACK_FOLDER,
    )
    .addHelpText(
      'after',
      `
Needs Java 21 or newer and Maven. The first start fetches the servers through Maven; they take some 600 MB on disk.

Example:
  bpmn-relay stack up`,
    )
    .action(stackUp)
}

async function stackUp(options: { dataFolder: string }): Promise<void> {
  const { startStack } = await import('../stack/stack.js')
  const { environmentOf, exportLines } = await import('../demo/environment.js')
  const { progressPrinter } = await import('../stack/progress.js')
  const stopSignal = firstSignal()
  const starting = startStack({
    dataFolder: path.resolve(options.dataFolder),
    onProgress: progressPrinter(process.stderr),
  })
  // Servers still on their way up end with this process.
  const stack = await unlessStopped(starting, stopSignal)
  const { addresses } = stack
  console.log(`\n${exportLines(environmentOf(addresses))}\n`)
  console.log(`# Kafka              ${addresses.kafka?.bootstrapServers}`)
  console.log(`# RocketMQ           ${addresses.rocketmq?.nameServer} (name server)`)
  console.log(`# RocketMQ over gRPC ${addresses.rocketmq?.proxyEndpoint} (proxy)`)
  console.error('\nRunning until Ctrl-C.')
  await stopSignal
  console.error('Stopping the servers …')
  await stack.stop()
}
