import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateEnvironmentVariable1763700000002 implements MigrationInterface {
  readonly name = 'CreateEnvironmentVariable1763700000002'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE environment_variable (
        name text PRIMARY KEY,
        value text NOT NULL,
        secret boolean NOT NULL DEFAULT false,
        description text NOT NULL DEFAULT '',
        updated_at timestamptz NOT NULL DEFAULT now()
      )`)
    await runner.query(`
      CREATE TRIGGER environment_variable_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON environment_variable
      FOR EACH STATEMENT EXECUTE FUNCTION bpmn_relay_notify_change()`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE environment_variable')
  }
}
