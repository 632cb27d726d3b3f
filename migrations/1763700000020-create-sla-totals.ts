import type { MigrationInterface, QueryRunner } from 'typeorm'

const TIERS = ['minute', 'hour', 'day']
const BUCKETS = 48
/** Stands for all adapters together. */
const ALL = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

export class CreateSlaTotals1763700000020 implements MigrationInterface {
  readonly name = 'CreateSlaTotals1763700000020'

  async up(runner: QueryRunner): Promise<void> {
    // A chart of an adapter, or of all, must not read the rows of each of their processes.
    const histogram = Array.from({ length: BUCKETS }, (_, i) => `sum(histogram[${i + 1}])`).join(', ')
    for (const tier of TIERS) {
      await runner.query(`
        CREATE TABLE sla_${tier}_total (
          starts_at timestamptz NOT NULL,
          adapter_id uuid NOT NULL,
          operation text NOT NULL,
          calls bigint NOT NULL,
          errors bigint NOT NULL,
          held bigint NOT NULL,
          duration_sum_ms double precision NOT NULL,
          duration_max_ms double precision NOT NULL,
          histogram bigint[] NOT NULL,
          PRIMARY KEY (adapter_id, operation, starts_at)
        ) WITH (fillfactor = 80)`)
      await runner.query(`CREATE INDEX sla_${tier}_total_starts_at ON sla_${tier}_total (starts_at)`)
      await runner.query(`
        INSERT INTO sla_${tier}_total
        SELECT starts_at, coalesce(adapter_id, '${ALL}'), operation, sum(calls), sum(errors), sum(held),
          sum(duration_sum_ms), max(duration_max_ms), ARRAY[${histogram}]::bigint[]
        FROM sla_${tier} GROUP BY GROUPING SETS ((1, adapter_id, operation), (1, operation))`)
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const tier of TIERS) await runner.query(`DROP TABLE sla_${tier}_total`)
  }
}
