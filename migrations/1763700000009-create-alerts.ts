import type { MigrationInterface, QueryRunner } from 'typeorm'

export class CreateAlerts1763700000009 implements MigrationInterface {
  readonly name = 'CreateAlerts1763700000009'

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE alert_policy (
        id uuid PRIMARY KEY,
        name text NOT NULL UNIQUE,
        description text NOT NULL DEFAULT '',
        enabled boolean NOT NULL,
        metric text NOT NULL,
        operator text NOT NULL,
        threshold double precision NOT NULL,
        recovery_threshold double precision,
        window_minutes int,
        for_seconds int NOT NULL,
        severity text NOT NULL,
        adapter_ids uuid[] NOT NULL,
        adapter_kind text,
        operation text,
        process_id text,
        in_total boolean NOT NULL,
        owners text[] NOT NULL,
        notifiers text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      )`)

    // What an alert is about stays readable after its policy has changed or is gone.
    await runner.query(`
      CREATE TABLE alert (
        id uuid PRIMARY KEY,
        policy_id uuid REFERENCES alert_policy ON DELETE SET NULL,
        policy_name text NOT NULL,
        metric text NOT NULL,
        severity text NOT NULL,
        subject text NOT NULL,
        adapter_id uuid,
        adapter_name text,
        state text NOT NULL,
        since timestamptz NOT NULL,
        fired_at timestamptz,
        value double precision,
        text text,
        silenced boolean NOT NULL DEFAULT false,
        resolved_at timestamptz,
        resolved_because text,
        acknowledged_at timestamptz,
        acknowledged_by text,
        acknowledged_note text
      )`)
    await runner.query(
      `CREATE UNIQUE INDEX alert_open ON alert (policy_id, subject) WHERE state <> 'resolved'`,
    )
    await runner.query('CREATE INDEX alert_policy_id ON alert (policy_id)')

    await runner.query(`
      CREATE TABLE alert_notice (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        alert_id uuid NOT NULL REFERENCES alert ON DELETE CASCADE,
        kind text NOT NULL,
        notifier text NOT NULL,
        notice jsonb NOT NULL,
        status text NOT NULL,
        attempts int NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz,
        error text,
        UNIQUE (alert_id, kind, notifier)
      )`)
    await runner.query(`CREATE INDEX alert_notice_due ON alert_notice (due_at) WHERE status = 'waiting'`)

    await runner.query(`
      CREATE TABLE alert_silence (
        id uuid PRIMARY KEY,
        policy_id uuid REFERENCES alert_policy ON DELETE CASCADE,
        adapter_id uuid REFERENCES adapter ON DELETE CASCADE,
        severity text,
        starts_at timestamptz NOT NULL,
        ends_at timestamptz NOT NULL,
        reason text NOT NULL,
        created_by text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`)

    // One row, which whoever evaluates holds locked.
    await runner.query(`
      CREATE TABLE alert_evaluation (
        singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
        evaluated_at timestamptz NOT NULL
      )`)
    await runner.query(`INSERT INTO alert_evaluation (evaluated_at) VALUES ('epoch')`)

    await runner.query(`
      CREATE TABLE worker_state (
        worker text PRIMARY KEY,
        engine text NOT NULL,
        started_at timestamptz NOT NULL,
        seen_at timestamptz NOT NULL,
        in_flight int NOT NULL,
        on_hold int NOT NULL,
        records_waiting int NOT NULL,
        poll_age_ms double precision,
        circuits jsonb NOT NULL
      ) WITH (fillfactor = 50)`)
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const table of ['alert_notice', 'alert_silence', 'alert', 'alert_policy', 'alert_evaluation'])
      await runner.query(`DROP TABLE ${table}`)
    await runner.query('DROP TABLE worker_state')
  }
}
