import { randomBytes } from 'node:crypto'
import pg from 'pg'
import type { NewAdapter } from '../src/adapters/adapter.js'
import { readConfig } from '../src/core/config.js'
import { silentLog } from '../src/core/log.js'
import { openWorkbench, type Workbench } from '../src/service.js'
import type { StackAddresses } from '../src/stack/stack.js'

export const KAFKA_ADAPTER = 'bench-kafka'
export const ROCKETMQ_ADAPTER = 'bench-rocketmq'
export const ROCKETMQ_GRPC_ADAPTER = 'bench-rocketmq-grpc'

/** A database of its own with the schema and one adapter of each kind and protocol, all switches as by default. */
export async function createDatabase(
  servers: Required<StackAddresses>,
): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `bench_${randomBytes(6).toString('hex')}`
  await execute(servers.postgres.url, `CREATE DATABASE ${name}`)
  const url = new URL(servers.postgres.url)
  url.pathname = `/${name}`
  await createAdapters(url.href, [
    { name: KAFKA_ADAPTER, kind: 'kafka', address: servers.kafka.bootstrapServers },
    { name: ROCKETMQ_ADAPTER, kind: 'rocketmq', address: servers.rocketmq.nameServer },
    {
      name: ROCKETMQ_GRPC_ADAPTER,
      kind: 'rocketmq',
      address: servers.rocketmq.proxyEndpoint,
      settings: { protocol: 'grpc' },
    },
  ])
  return {
    url: url.href,
    drop: () => execute(servers.postgres.url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  }
}

export async function createAdapters(databaseUrl: string, adapters: readonly NewAdapter[]): Promise<void> {
  await onWorkbench(databaseUrl, async ({ store }) => {
    for (const adapter of adapters) await store.createAdapter(adapter)
  })
}

/** Does what operators do at a command line. */
export async function onWorkbench<T>(
  databaseUrl: string,
  act: (workbench: Workbench) => Promise<T>,
): Promise<T> {
  const workbench = await openWorkbench(readConfig({ DATABASE_URL: databaseUrl }), silentLog)
  try {
    return await act(workbench)
  } finally {
    await workbench.database.close()
  }
}

export async function auditRowsOf(databaseUrl: string, topics: readonly string[]): Promise<number> {
  return await withClient(databaseUrl, async (client) => {
    const { rows } = await client.query(
      'SELECT count(*) FROM sys_audit_log WHERE destination = ANY($1::text[])',
      [topics],
    )
    return Number(rows[0]?.count)
  })
}

/** So that what is measured next does not pay for the rows of what was measured before. */
export async function emptyRecords(databaseUrl: string): Promise<void> {
  await execute(databaseUrl, 'TRUNCATE sys_audit_log, publish_ledger, settled_mark, trigger_ledger')
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
