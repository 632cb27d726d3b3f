import type { MigrationInterface, QueryRunner } from 'typeorm'

export class RememberPublishesInAuditLog1763700000027 implements MigrationInterface {
  readonly name = 'RememberPublishesInAuditLog1763700000027'

  async up(runner: QueryRunner): Promise<void> {
    // Columns without default: no row is touched, and the lock is held for a moment only.
    await runner.query('ALTER TABLE sys_audit_log ADD COLUMN engine text, ADD COLUMN fingerprint text')
  }

  async down(runner: QueryRunner): Promise<void> {
    // Publishes of audited adapters are forgotten: what is redelivered meanwhile is sent again.
    await runner.query('ALTER TABLE sys_audit_log DROP COLUMN fingerprint, DROP COLUMN engine')
  }
}
