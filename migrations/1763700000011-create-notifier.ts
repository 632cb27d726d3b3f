import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateNotifier1763700000011 implements MigrationInterface {
  readonly name = 'CreateNotifier1763700000011'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE notifier (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        kind text NOT NULL,
        description text NOT NULL DEFAULT '',
        settings jsonb NOT NULL DEFAULT '{}',
        enabled boolean NOT NULL DEFAULT true,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE notifier')
  }
}
