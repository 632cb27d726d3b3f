import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateAdapter1763700000001 implements MigrationInterface {
  readonly name = 'CreateAdapter1763700000001'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE adapter (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        kind text NOT NULL,
        address text NOT NULL,
        description text NOT NULL DEFAULT '',
        settings jsonb NOT NULL DEFAULT '{}',
        key_serialization text NOT NULL DEFAULT 'string',
        value_serialization text NOT NULL DEFAULT 'string',
        audit_requests boolean NOT NULL DEFAULT true,
        log_results boolean NOT NULL DEFAULT false,
        sla_monitoring boolean NOT NULL DEFAULT true,
        application_id text,
        application_name text,
        application_version text,
        enabled boolean NOT NULL DEFAULT true,
        managed boolean NOT NULL DEFAULT false,
        revision integer NOT NULL DEFAULT 1,
        developers text[] NOT NULL DEFAULT '{}',
        maintainers text[] NOT NULL DEFAULT '{}',
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`)
    // Workers keep adapters and environment variables in memory; this tells them to load again.
    await runner.query(`
      CREATE FUNCTION bpmn_relay_notify_change() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_notify('bpmn_relay_change', TG_TABLE_NAME);
        RETURN NULL;
      END $$`)
    await runner.query(`
      CREATE TRIGGER adapter_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON adapter
      FOR EACH STATEMENT EXECUTE FUNCTION bpmn_relay_notify_change()`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE adapter')
    await runner.query('DROP FUNCTION bpmn_relay_notify_change()')
  }
}
