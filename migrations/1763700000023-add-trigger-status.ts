import type { MigrationInterface, QueryRunner } from 'typeorm'

export class AddTriggerStatus1763700000023 implements MigrationInterface {
  readonly name = 'AddTriggerStatus1763700000023'

  async up(runner: QueryRunner): Promise<void> {
    // Of the triggers that the worker consumes for, by id.
    await runner.query(`ALTER TABLE worker_state ADD COLUMN triggers jsonb NOT NULL DEFAULT '{}'`)
    // Begun, and not known to have ended: of a message that waits for the process that it has started.
    await runner.query('ALTER TABLE trigger_ledger ADD COLUMN is_open boolean NOT NULL DEFAULT false')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE trigger_ledger DROP COLUMN is_open')
    await runner.query('ALTER TABLE worker_state DROP COLUMN triggers')
  }
}
