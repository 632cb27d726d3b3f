import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Rolled-up counters by length of time; counters themselves keep the newest minutes, one row a worker. */
const TABLES = ['sla_minute', 'sla_hour', 'sla_day']

export class CreateSlaRollups1763700000008 implements MigrationInterface {
  readonly name = 'CreateSlaRollups1763700000008'

  async up(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) {
      // The time comes last in the key: a chart reads one adapter over a long time.
      await runner.query(`
        CREATE TABLE ${table} (
          starts_at timestamptz NOT NULL,
          adapter_id uuid NOT NULL,
          operation text NOT NULL,
          process_id text NOT NULL,
          calls bigint NOT NULL,
          errors bigint NOT NULL,
          held bigint NOT NULL,
          duration_sum_ms double precision NOT NULL,
          duration_max_ms double precision NOT NULL,
          histogram bigint[] NOT NULL,
          PRIMARY KEY (adapter_id, operation, process_id, starts_at)
        ) WITH (fillfactor = 80)`)
      await runner.query(`CREATE INDEX ${table}_starts_at ON ${table} (starts_at)`)
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.query(`DROP TABLE ${table}`)
  }
}
