import pg from 'pg'

/** One connection of its own: for what holds a lock, stands outside transactions or takes longer than any call may. */
export interface Session {
  query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]): Promise<Row[]>
}

/** Locks taken in it go with it. Whoever waits for a lock longer than the limit is refused with SQLSTATE 55P03. */
export async function withSession<T>(
  url: string,
  lockTimeoutMs: number,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 3000,
    keepAlive: true,
    lock_timeout: lockTimeoutMs,
    application_name: 'bpmn-relay upkeep',
  })
  // A connection that is lost makes its statement fail, which tells enough.
  client.on('error', () => undefined)
  await client.connect()
  try {
    return await use({ query: async (text, values = []) => (await client.query(text, values)).rows })
  } finally {
    await client.end().catch(() => undefined)
  }
}
