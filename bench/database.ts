import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { readConfig } from '../src/core/config.js'
import { silentLog } from '../src/core/log.js'
import { openWorkbench } from '../src/service.js'
import type { StackAddresses } from '../src/stack/stack.js'

export const KAFKA_ADAPTER = 'bench-kafka'
export const ROCKETMQ_ADAPTER = 'bench-rocketmq'
export const ROCKETMQ_GRPC_ADAPTER = 'bench-rocketmq-grpc'

/** A database of its own with the schema and one adapter of each kind, all switches as by default. */
export async function createDatabase(
  servers: Required<StackAddresses>,
): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  await execute(servers.postgres.url, `CREATE DATABASE ${name}`)
  const url = new URL(servers.postgres.url)
  url.pathname = `/${name}`
  const { store, database } = await openWorkbench(readConfig({ DATABASE_URL: url.href }), silentLog)
  await store.createAdapter({
    name: KAFKA_ADAPTER,
    kind: 'kafka',
    address: servers.kafka.bootstrapServers,
  })
  await store.createAdapter({
    name: ROCKETMQ_ADAPTER,
    kind: 'rocketmq',
    address: servers.rocketmq.nameServer,
  })
  await store.createAdapter({
    name: ROCKETMQ_GRPC_ADAPTER,
    kind: 'rocketmq',
    address: servers.rocketmq.proxyEndpoint,
    settings: { protocol: 'grpc' },
  })
  await database.close()
  return {
    url: url.href,
    drop: () => execute(servers.postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}

export async function auditRowsOf(databaseUrl: string, topic: string): Promise<number> {
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query('SELECT count(*) FROM sys_audit_log WHERE destination = $1', [topic])
    return Number(rows[0]?.count)
  })
}

async function execute(url: string, statement: string): Promise<void> {
  await withClient(url, (client) => client.query(statement))
}

async function withClient<T>(url: string, ask: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await ask(client)
  } finally {
    await client.end()
  }
}
