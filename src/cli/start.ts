import type { Command } from 'commander'
import { RelayError } from '../core/errors.js'
import { withTimeLimit } from '../core/time-limit.js'
import { readContext } from './context.js'
import { firstSignal } from './signals.js'

/** Beyond the grace time for jobs in hand: for closing connections. */
const CLOSING_MS = 5000

export function addStartCommand(program: Command): void {
  program
    .command('start')
    .description('Start a worker: takes jobs of the task types "Kafka Producer" and "RocketMQ Producer".')
    .addHelpText(
      'after',
      `
The database schema is brought up to date first. Any number of workers may share one database.
SIGTERM or Ctrl-C: takes no new jobs, finishes those in hand (BPMN_RELAY_SHUTDOWN_GRACE_MS) and ends; a second one
ends at once.

Examples:
  ZEEBE_ADDRESS=127.0.0.1:26500 bpmn-relay start
  DATABASE_URL=postgres://relay:…@db/relay ZEEBE_ADDRESS=zeebe:26500 BPMN_RELAY_LOG_FORMAT=json bpmn-relay start`,
    )
    .action(start)
}

async function start(): Promise<void> {
  const stopSignal = firstSignal()
  const { config, log } = await readContext()
  const { startService } = await import('../service.js')
  const starting = startService(config, log)
  // A signal during the start is obeyed as soon as there is something to stop.
  const signal = await Promise.race([stopSignal, starting.then(() => stopSignal)])
  log.info('stopping', { signal })
  const limitMs = config.shutdownGraceMs + CLOSING_MS
  const stopped = starting.then((service) => service.stop())
  await withTimeLimit(
    stopped,
    limitMs,
    () => new RelayError('INTERNAL', `not everything could be closed within ${limitMs} ms`),
  )
  log.info('stopped')
}
