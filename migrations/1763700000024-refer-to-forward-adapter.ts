import type { MigrationInterface, QueryRunner } from 'typeorm'

export class ReferToForwardAdapter1763700000024 implements MigrationInterface {
  readonly name = 'ReferToForwardAdapter1763700000024'

  async up(runner: QueryRunner): Promise<void> {
    // An adapter that is forwarded to must not go either; the rest of an action refers to nothing here.
    await runner.query(`
      ALTER TABLE trigger ADD COLUMN forward_adapter_id uuid
      GENERATED ALWAYS AS ((action ->> 'adapterId')::uuid) STORED REFERENCES adapter (id)`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE trigger DROP COLUMN forward_adapter_id')
  }
}
