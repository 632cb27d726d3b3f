import type { MigrationInterface, QueryRunner } from 'typeorm'

const TABLES = ['environment_variable', 'notifier', 'alert_policy']

/** What `bpmn-relay apply` keeps, as adapters and triggers know it already. */
export class MarkManaged1763700000026 implements MigrationInterface {
  readonly name = 'MarkManaged1763700000026'

  async up(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) {
      await runner.query(`ALTER TABLE ${table} ADD COLUMN managed boolean NOT NULL DEFAULT false`)
    }
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of TABLES) await runner.query(`ALTER TABLE ${table} DROP COLUMN managed`)
  }
}
