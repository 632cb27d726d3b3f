import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreatePublishLedger1763700000005 implements MigrationInterface {
  readonly name = 'CreatePublishLedger1763700000005'

  async up(runner: QueryRunner): Promise<void> {
    // settled_at stays out of every index, so that marking a row settled is a heap-only update.
    await runner.query(`
      CREATE TABLE publish_ledger (
        engine text NOT NULL,
        job_key bigint NOT NULL,
        process_instance_key bigint NOT NULL,
        element_instance_key bigint NOT NULL,
        fingerprint text NOT NULL,
        attempts integer NOT NULL DEFAULT 1,
        receipt text,
        at timestamptz NOT NULL DEFAULT now(),
        settled_at timestamptz,
        PRIMARY KEY (engine, job_key)
      ) WITH (fillfactor = 80)`)
    await runner.query('CREATE INDEX publish_ledger_at ON publish_ledger (at)')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE publish_ledger')
  }
}
