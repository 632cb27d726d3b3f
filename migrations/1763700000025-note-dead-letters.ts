import type { MigrationInterface, QueryRunner } from 'typeorm'

export class NoteDeadLetters1763700000025 implements MigrationInterface {
  readonly name = 'NoteDeadLetters1763700000025'

  async up(runner: QueryRunner): Promise<void> {
    // Why it was discarded.
    await runner.query('ALTER TABLE dead_letter ADD COLUMN resolved_note text')
    await runner.query('CREATE INDEX dead_letter_request_id ON dead_letter (request_id)')
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX dead_letter_request_id')
    await runner.query('ALTER TABLE dead_letter DROP COLUMN resolved_note')
  }
}
