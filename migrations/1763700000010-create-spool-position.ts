import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateSpoolPosition1763700000010 implements MigrationInterface {
  readonly name = 'CreateSpoolPosition1763700000010'

  async up(runner: QueryRunner): Promise<void> {
    // How far the record spool of a worker has been written to the other tables; moved by the statement that writes.
    await runner.query(`
      CREATE TABLE spool_position (
        spool uuid PRIMARY KEY,
        worker text NOT NULL,
        position bigint NOT NULL,
        at timestamptz NOT NULL DEFAULT now()
      )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE spool_position')
  }
}
