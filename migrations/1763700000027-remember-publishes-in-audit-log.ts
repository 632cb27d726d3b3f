import type { MigrationInterface, QueryRunner } from 'typeorm'

export class RememberPublishesInAuditLog1763700000027 implements MigrationInterface {
  readonly name = 'RememberPublishesInAuditLog1763700000027'

  async up(runner: QueryRunner): Promise<void> {
    // Columns without default: no row is touched, and the lock is held for a moment only.
    await runner.query('ALTER TABLE sys_audit_log ADD COLUMN engine text, ADD COLUMN fingerprint text')
    // With the engine, although it tells little apart: of a day that was never analyzed Postgres takes each value for one of
    // 200, and would read it whole rather than look some jobs up in an index of one such column.
    await runner.query('DROP INDEX sys_audit_log_job_key')
    await runner.query('CREATE INDEX sys_audit_log_job_key ON sys_audit_log (job_key, engine)')
  }

  async down(runner: QueryRunner): Promise<void> {
    // Publishes of audited adapters are forgotten: what is redelivered meanwhile is sent again.
    await runner.query('DROP INDEX sys_audit_log_job_key')
    await runner.query('CREATE INDEX sys_audit_log_job_key ON sys_audit_log (job_key)')
    await runner.query('ALTER TABLE sys_audit_log DROP COLUMN fingerprint, DROP COLUMN engine')
  }
}
