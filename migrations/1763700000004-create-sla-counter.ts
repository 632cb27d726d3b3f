import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateSlaCounter1763700000004 implements MigrationInterface {
  readonly name = 'CreateSlaCounter1763700000004'

  async up(runner: QueryRunner): Promise<void> {
    // The worker is part of the key so that workers never wait for each other's row; reads sum over it.
    await runner.query(`
      CREATE TABLE sla_counter (
        minute timestamptz NOT NULL,
        adapter_id uuid NOT NULL,
        operation text NOT NULL,
        process_id text NOT NULL,
        worker text NOT NULL,
        calls bigint NOT NULL,
        errors bigint NOT NULL,
        held bigint NOT NULL,
        duration_sum_ms double precision NOT NULL,
        duration_max_ms double precision NOT NULL,
        histogram bigint[] NOT NULL,
        PRIMARY KEY (minute, adapter_id, operation, process_id, worker)
      ) WITH (fillfactor = 70)`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE sla_counter')
  }
}
