import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateSettledMark1763700000021 implements MigrationInterface {
  readonly name = 'CreateSettledMark1763700000021'

  async up(runner: QueryRunner): Promise<void> {
    // One row for all jobs that a statement marks: a new version of each ledger row cost as much as half of writing it.
    await runner.query(`
      CREATE TABLE settled_mark (
        engine text NOT NULL,
        job_keys bigint[] NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
      )`)
    await runner.query('CREATE INDEX settled_mark_at ON settled_mark (at)')
    await runner.query(`
      INSERT INTO settled_mark (engine, job_keys, at)
      SELECT engine, array_agg(job_key), settled_at FROM publish_ledger WHERE settled_at IS NOT NULL
      GROUP BY engine, settled_at`)
    await runner.query('ALTER TABLE publish_ledger DROP COLUMN settled_at')
    await runner.query('ALTER TABLE publish_ledger RESET (fillfactor)')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE publish_ledger ADD COLUMN settled_at timestamptz')
    await runner.query('ALTER TABLE publish_ledger SET (fillfactor = 80)')
    await runner.query(`
      UPDATE publish_ledger AS ledger SET settled_at = mark.at
      FROM (SELECT engine, unnest(job_keys) AS job_key, at FROM settled_mark) AS mark
      WHERE ledger.engine = mark.engine AND ledger.job_key = mark.job_key AND ledger.at <= mark.at`)
    await runner.query('DROP TABLE settled_mark')
  }
}
