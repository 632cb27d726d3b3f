import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import type { InboundMessage } from '../../src/brokers/subscription.js'
import { RelayError } from '../../src/core/errors.js'
import { silentLog } from '../../src/core/log.js'
import { type Database, openDatabase } from '../../src/db/database.js'
import { deadLettersJson, insertDeadLetters } from '../../src/trigger/dead-letter-rows.js'
import { deadLetterOf, type GivenUp } from '../../src/trigger/give-up.js'
import { type CommandLine, commandLine, ok } from './cli.js'
import { inboundMessage } from './inbound-message.js'

export const GIVEN_UP: GivenUp = {
  trigger: {
    id: '0198b3f0-0000-7000-8000-000000000001',
    name: 'start-orders',
    action: { kind: 'start', processId: 'order', version: null },
  },
  adapter: { id: '0198b3f0-0000-7000-8000-000000000002', name: 'kafka' },
  requestId: 'r1',
  stage: 'variables',
  error: new RelayError('EXPRESSION_INVALID', 'variables: wrong'),
}

/** A command line with an adapter that reads JSON, and the database in which its messages can be given up. */
export async function deadLetterCli(
  t: TestContext,
): Promise<{ cli: CommandLine; database: Database; adapter: GivenUp['adapter'] }> {
  const cli = await commandLine(t)
  const made = ['--kind', 'kafka', '--address', 'localhost:9092', '--value-serialization', 'json']
  await ok(cli, ['adapter', 'create', '--name', 'kafka', ...made])
  const database = await openDatabase({ url: cli.databaseUrl, poolSize: 2, timeoutMs: 5000 }, silentLog)
  t.after(() => database.close())
  const [adapter] = await database.query<{ id: string; name: string }>('SELECT id, name FROM adapter')
  assert.ok(adapter)
  return { cli, database, adapter }
}

/** Gives a message up, as a worker does. @returns the id of its dead letter */
export async function giveUp(
  database: Pick<Database, 'query'>,
  message: Partial<InboundMessage> & { offset: string },
  givenUp: Partial<GivenUp> = {},
): Promise<string> {
  const id = `orders-0-${message.offset}`
  const letter = deadLetterOf(inboundMessage({ id, ...message }), { ...GIVEN_UP, ...givenUp })
  await database.query(`WITH dead AS (${insertDeadLetters('$1')}) SELECT`, [deadLettersJson([letter])])
  return letter.id
}
