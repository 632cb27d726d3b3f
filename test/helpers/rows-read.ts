import type { Database } from '../../src/db/database.js'

/** The rows that the scans of a statement gave or threw away. */
export async function rowsRead(
  database: Pick<Database, 'query'>,
  text: string,
  values: unknown[] | undefined,
): Promise<number> {
  const lines = await database.query<{ 'QUERY PLAN': string }>(`EXPLAIN (ANALYZE, COSTS OFF) ${text}`, values)
  let rows = 0
  for (const { 'QUERY PLAN': line } of lines) {
    const [, scanned] = / Scan .*rows=([\d.]+)/.exec(line) ?? []
    const [, removed] = /Rows Removed by Filter: (\d+)/.exec(line) ?? []
    rows += Number(scanned ?? 0) + Number(removed ?? 0)
  }
  return rows
}
