import path from 'node:path'
import type { Command } from 'commander'
import { RelayError } from '../core/errors.js'
import type { Traces } from '../demo/compare.js'
import type { Demo } from '../demo/demo.js'
import { exportLines } from '../demo/environment.js'
import { auditTable } from './audit.js'
import { firstSignal, unlessStopped } from './signals.js'
import { slaTable } from './sla.js'
import { table } from './table.js'

const DEMO_FOLDER = path.join('.bpmn-relay', 'demo')

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .description(
      'See it work: five orders go through a process into Kafka and RocketMQ, and on into the next process, on real local servers.',
    )
    .option('--once', 'end when everything is shown: with 0 if all is as it should be, else with 1')
    .option('--data-folder <folder>', 'where the servers keep their data; it is emptied first', DEMO_FOLDER)
    .addHelpText(
      'after',
      `
Needs Java 21 or newer and Maven. The first run fetches the servers through Maven; they take some 600 MB on disk.
Without --once the servers and the worker stay up until Ctrl-C.

Example:
  bpmn-relay demo --once`,
    )
    .action(demo)
}

async function demo(options: { once?: true; dataFolder: string }): Promise<void> {
  const { runDemo } = await import('../demo/demo.js')
  const { progressPrinter } = await import('../stack/progress.js')
  const stopSignal = firstSignal()
  const stopping = new AbortController()
  void stopSignal.then(() => stopping.abort())
  const running = runDemo({
    folder: path.resolve(options.dataFolder),
    signal: stopping.signal,
    onProgress: progressPrinter(process.stderr),
    onStep: (text) => console.error(`\n${text} …`),
  })
  // What is still on its way up ends with this process.
  const result = await unlessStopped(running, stopSignal)
  try {
    show(result)
    if (!options.once) {
      suggest(result)
      await stopSignal
    }
  } finally {
    console.error('\nStopping the worker and the servers …')
    await result.stop()
  }
  if (result.differences.length > 0) throw new RelayError('INTERNAL', result.differences.join('; '))
}

function show({ orders, kafka, rocketmq, started, differences }: Demo): void {
  for (const traces of [kafka, rocketmq]) {
    console.log(`\n${traces.adapter}: messages in the broker\n${messageTable(traces)}`)
    console.log(`\n${traces.adapter}: audit log (SYS_AUDIT_LOG)\n${auditTable(traces.calls)}`)
  }
  console.log(
    `\n${started.trigger}: processes started by the messages of ${kafka.adapter}\n${auditTable(started.calls)}`,
  )
  console.log(`\nSLA counters\n${slaTable([...kafka.counters, ...rocketmq.counters, ...started.counters])}`)
  if (differences.length === 0) {
    console.log(
      `\nAs promised: each of ${orders.length} orders is once in Kafka and once in RocketMQ, under the request id of its audit row, and counted once for each; its message in Kafka has started the next process once.`,
    )
  }
}

function messageTable({ messages }: Traces): string {
  const columns = ['PLACE', 'X-REQUEST-ID', 'MESSAGE'].map((title) => ({ title }))
  return table(
    columns,
    messages.map(({ place, requestId, body }) => [place, requestId, body]),
  )
}

function suggest({ environment }: Demo): void {
  const program = process.argv[1]?.endsWith('.ts') ? 'npm run --silent relay --' : 'bpmn-relay'
  console.log(`
Everything stays up until Ctrl-C. To go on, in another terminal:

${exportLines(environment).replace(/^/gm, '  ')}
  ${program} adapter show orders-kafka
  ${program} trigger show orders-in
  ${program} audit list --since 1h
  ${program} sla show
  ${program} env set KAFKA_BOOTSTRAP 127.0.0.1:1    # jobs now fail and are tried again; set it back to let them pass

Start more orders from Camunda Modeler: open bpmn/order-published.bpmn and deploy to ${environment.ZEEBE_ADDRESS}.`)
}
