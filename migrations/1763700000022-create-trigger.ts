import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateTrigger1763700000022 implements MigrationInterface {
  readonly name = 'CreateTrigger1763700000022'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE trigger (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        description text NOT NULL DEFAULT '',
        adapter_id uuid NOT NULL REFERENCES adapter (id),
        topics text[] NOT NULL DEFAULT '{}',
        topic_pattern text,
        filter jsonb,
        group_id text NOT NULL,
        message_order text NOT NULL,
        concurrency integer,
        action jsonb NOT NULL,
        activation_condition text,
        variables text,
        acknowledge text NOT NULL,
        completion_timeout_ms integer,
        initial_offset text NOT NULL,
        on_undeserializable text NOT NULL,
        max_attempts integer NOT NULL,
        retry_back_off_ms integer NOT NULL,
        retry_back_off_max_ms integer NOT NULL,
        dead_letter_adapter_id uuid REFERENCES adapter (id),
        dead_letter_topic text,
        state text NOT NULL,
        -- Moves of the group's offsets that are still to be made; nobody consumes before.
        pending_moves jsonb NOT NULL DEFAULT '[]',
        managed boolean NOT NULL DEFAULT false,
        revision integer NOT NULL DEFAULT 1,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`)
    await runner.query('CREATE INDEX trigger_adapter ON trigger (adapter_id)')
    await runner.query(`
      CREATE TRIGGER trigger_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON trigger
      FOR EACH STATEMENT EXECUTE FUNCTION bpmn_relay_notify_change()`)
    // A message that is delivered again is known by its id; a topic made anew repeats ids, but not times.
    await runner.query(`
      CREATE TABLE trigger_ledger (
        trigger_id uuid NOT NULL,
        message_id text NOT NULL,
        message_at timestamptz NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (trigger_id, message_id)
      )`)
    await runner.query('CREATE INDEX trigger_ledger_at ON trigger_ledger (at)')
    // No reference to the trigger: what was not handled outlives it.
    await runner.query(`
      CREATE TABLE dead_letter (
        id uuid PRIMARY KEY,
        at timestamptz NOT NULL DEFAULT now(),
        trigger_id uuid NOT NULL,
        trigger_name text NOT NULL,
        adapter_id uuid NOT NULL,
        adapter_name text NOT NULL,
        request_id text NOT NULL,
        topic text NOT NULL,
        partition integer NOT NULL,
        broker text,
        queue_offset bigint NOT NULL,
        message_id text NOT NULL,
        message_at timestamptz NOT NULL,
        key bytea,
        value bytea,
        headers jsonb NOT NULL,
        tag text,
        keys text[],
        message_group text,
        attempts integer NOT NULL,
        stage text NOT NULL,
        error_code text NOT NULL,
        error_text text NOT NULL,
        state text NOT NULL DEFAULT 'waiting',
        resolved_at timestamptz,
        resolved_by text,
        UNIQUE (trigger_id, message_id, message_at)
      )`)
    await runner.query('CREATE INDEX dead_letter_at ON dead_letter (at, id)')
    await runner.query(`CREATE INDEX dead_letter_waiting ON dead_letter (trigger_id) WHERE state = 'waiting'`)
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE dead_letter, trigger_ledger, trigger')
  }
}
