import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateSysAuditLog1763700000003 implements MigrationInterface {
  readonly name = 'CreateSysAuditLog1763700000003'

  async up(runner: QueryRunner): Promise<void> {
    // No foreign keys and no default partition: a row must never be refused because an adapter is gone, and a
    // default partition would forbid detaching the others concurrently.
    await runner.query(`
      CREATE TABLE sys_audit_log (
        id bigint GENERATED ALWAYS AS IDENTITY,
        at timestamptz NOT NULL DEFAULT now(),
        request_id text NOT NULL,
        source text NOT NULL,
        operation text NOT NULL,
        adapter_id uuid,
        adapter_name text,
        adapter_kind text,
        destination text,
        receipt text,
        status text NOT NULL,
        error_code text,
        error_text text,
        duration_ms real NOT NULL,
        attempt integer NOT NULL DEFAULT 1,
        process_instance_key bigint,
        process_id text,
        process_version integer,
        element_id text,
        job_key bigint,
        worker text,
        actor text,
        request text,
        response text,
        PRIMARY KEY (at, id)
      ) PARTITION BY RANGE (at)`)
    await runner.query('CREATE INDEX sys_audit_log_request_id ON sys_audit_log (request_id)')
    await runner.query('CREATE INDEX sys_audit_log_process_instance ON sys_audit_log (process_instance_key)')
    await runner.query('CREATE INDEX sys_audit_log_adapter ON sys_audit_log (adapter_id, at)')
    await runner.query(`CREATE INDEX sys_audit_log_trouble ON sys_audit_log (at) WHERE status <> 'published'`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE sys_audit_log')
  }
}
