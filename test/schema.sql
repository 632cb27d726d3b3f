CREATE TABLE adapter (
  id uuid NOT NULL,
  name text NOT NULL,
  kind text NOT NULL,
  address text NOT NULL,
  description text NOT NULL DEFAULT ''::text,
  settings jsonb NOT NULL DEFAULT '{}'::jsonb,
  key_serialization text NOT NULL DEFAULT 'string'::text,
  value_serialization text NOT NULL DEFAULT 'string'::text,
  audit_requests boolean NOT NULL DEFAULT true,
  log_results boolean NOT NULL DEFAULT false,
  sla_monitoring boolean NOT NULL DEFAULT true,
  application_id text,
  application_name text,
  application_version text,
  enabled boolean NOT NULL DEFAULT true,
  managed boolean NOT NULL DEFAULT false,
  revision integer NOT NULL DEFAULT 1,
  developers text[] NOT NULL DEFAULT '{}'::text[],
  maintainers text[] NOT NULL DEFAULT '{}'::text[],
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT adapter_name_key UNIQUE (name),
  CONSTRAINT adapter_pkey PRIMARY KEY (id)
);

CREATE TABLE alert (
  id uuid NOT NULL,
  policy_id uuid,
  policy_name text NOT NULL,
  metric text NOT NULL,
  severity text NOT NULL,
  subject text NOT NULL,
  adapter_id uuid,
  adapter_name text,
  state text NOT NULL,
  since timestamp with time zone NOT NULL,
  fired_at timestamp with time zone,
  value double precision,
  text text,
  silenced boolean NOT NULL DEFAULT false,
  resolved_at timestamp with time zone,
  resolved_because text,
  acknowledged_at timestamp with time zone,
  acknowledged_by text,
  acknowledged_note text,
  CONSTRAINT alert_pkey PRIMARY KEY (id),
  CONSTRAINT alert_policy_id_fkey FOREIGN KEY (policy_id) REFERENCES alert_policy(id) ON DELETE SET NULL
);

CREATE TABLE alert_evaluation (
  singleton boolean NOT NULL DEFAULT true,
  evaluated_at timestamp with time zone NOT NULL,
  CONSTRAINT alert_evaluation_pkey PRIMARY KEY (singleton),
  CONSTRAINT alert_evaluation_singleton_check CHECK (singleton)
);

CREATE TABLE alert_notice (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  alert_id uuid NOT NULL,
  kind text NOT NULL,
  notifier text NOT NULL,
  notice jsonb NOT NULL,
  status text NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamp with time zone NOT NULL DEFAULT now(),
  ended_at timestamp with time zone,
  error text,
  CONSTRAINT alert_notice_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES alert(id) ON DELETE CASCADE,
  CONSTRAINT alert_notice_alert_id_kind_notifier_key UNIQUE (alert_id, kind, notifier),
  CONSTRAINT alert_notice_pkey PRIMARY KEY (id)
);

CREATE TABLE alert_policy (
  id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT ''::text,
  enabled boolean NOT NULL,
  metric text NOT NULL,
  operator text NOT NULL,
  threshold double precision NOT NULL,
  recovery_threshold double precision,
  window_minutes integer,
  for_seconds integer NOT NULL,
  severity text NOT NULL,
  adapter_ids uuid[] NOT NULL,
  adapter_kind text,
  operation text,
  process_id text,
  in_total boolean NOT NULL,
  owners text[] NOT NULL,
  notifiers text[] NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  managed boolean NOT NULL DEFAULT false,
  CONSTRAINT alert_policy_name_key UNIQUE (name),
  CONSTRAINT alert_policy_pkey PRIMARY KEY (id)
);

CREATE TABLE alert_silence (
  id uuid NOT NULL,
  policy_id uuid,
  adapter_id uuid,
  severity text,
  starts_at timestamp with time zone NOT NULL,
  ends_at timestamp with time zone NOT NULL,
  reason text NOT NULL,
  created_by text NOT NULL,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT alert_silence_adapter_id_fkey FOREIGN KEY (adapter_id) REFERENCES adapter(id) ON DELETE CASCADE,
  CONSTRAINT alert_silence_pkey PRIMARY KEY (id),
  CONSTRAINT alert_silence_policy_id_fkey FOREIGN KEY (policy_id) REFERENCES alert_policy(id) ON DELETE CASCADE
);

CREATE TABLE dead_letter (
  id uuid NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT now(),
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
  message_at timestamp with time zone NOT NULL,
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
  state text NOT NULL DEFAULT 'waiting'::text,
  resolved_at timestamp with time zone,
  resolved_by text,
  resolved_note text,
  CONSTRAINT dead_letter_pkey PRIMARY KEY (id),
  CONSTRAINT dead_letter_trigger_id_message_id_message_at_key UNIQUE (trigger_id, message_id, message_at)
);

CREATE TABLE environment_variable (
  name text NOT NULL,
  value text NOT NULL,
  secret boolean NOT NULL DEFAULT false,
  description text NOT NULL DEFAULT ''::text,
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  managed boolean NOT NULL DEFAULT false,
  CONSTRAINT environment_variable_pkey PRIMARY KEY (name)
);

CREATE TABLE notifier (
  id uuid NOT NULL,
  name text NOT NULL,
  kind text NOT NULL,
  description text NOT NULL DEFAULT ''::text,
  settings jsonb NOT NULL DEFAULT '{}'::jsonb,
  enabled boolean NOT NULL DEFAULT true,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  managed boolean NOT NULL DEFAULT false,
  CONSTRAINT notifier_name_key UNIQUE (name),
  CONSTRAINT notifier_pkey PRIMARY KEY (id)
);

CREATE TABLE publish_ledger (
  engine text NOT NULL,
  job_key bigint NOT NULL,
  process_instance_key bigint NOT NULL,
  element_instance_key bigint NOT NULL,
  fingerprint text NOT NULL,
  attempts integer NOT NULL DEFAULT 1,
  receipt text,
  at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT publish_ledger_pkey PRIMARY KEY (engine, job_key)
);

CREATE TABLE settled_mark (
  engine text NOT NULL,
  job_keys bigint[] NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT now()
);

CREATE TABLE sla_counter (
  minute timestamp with time zone NOT NULL,
  adapter_id uuid NOT NULL,
  operation text NOT NULL,
  process_id text NOT NULL,
  worker text NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  held bigint NOT NULL,
  duration_sum_ms double precision NOT NULL,
  duration_max_ms double precision NOT NULL,
  histogram bigint[] NOT NULL,
  CONSTRAINT sla_counter_pkey PRIMARY KEY (minute, adapter_id, operation, process_id, worker)
) WITH (fillfactor=70);

CREATE TABLE sla_day (
  starts_at timestamp with time zone NOT NULL,
  adapter_id uuid NOT NULL,
  operation text NOT NULL,
  process_id text NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  held bigint NOT NULL,
  duration_sum_ms double precision NOT NULL,
  duration_max_ms double precision NOT NULL,
  histogram bigint[] NOT NULL,
  CONSTRAINT sla_day_pkey PRIMARY KEY (adapter_id, operation, process_id, starts_at)
) WITH (fillfactor=80);

CREATE TABLE sla_day_total (
  starts_at timestamp with time zone NOT NULL,
  adapter_id uuid NOT NULL,
  operation text NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  held bigint NOT NULL,
  duration_sum_ms double precision NOT NULL,
  duration_max_ms double precision NOT NULL,
  histogram bigint[] NOT NULL,
  CONSTRAINT sla_day_total_pkey PRIMARY KEY (adapter_id, operation, starts_at)
) WITH (fillfactor=80);

CREATE TABLE sla_hour (
  starts_at timestamp with time zone NOT NULL,
  adapter_id uuid NOT NULL,
  operation text NOT NULL,
  process_id text NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  held bigint NOT NULL,
  duration_sum_ms double precision NOT NULL,
  duration_max_ms double precision NOT NULL,
  histogram bigint[] NOT NULL,
  CONSTRAINT sla_hour_pkey PRIMARY KEY (adapter_id, operation, process_id, starts_at)
) WITH (fillfactor=80);

CREATE TABLE sla_hour_total (
  starts_at timestamp with time zone NOT NULL,
  adapter_id uuid NOT NULL,
  operation text NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  held bigint NOT NULL,
  duration_sum_ms double precision NOT NULL,
  duration_max_ms double precision NOT NULL,
  histogram bigint[] NOT NULL,
  CONSTRAINT sla_hour_total_pkey PRIMARY KEY (adapter_id, operation, starts_at)
) WITH (fillfactor=80);

CREATE TABLE sla_minute (
  starts_at timestamp with time zone NOT NULL,
  adapter_id uuid NOT NULL,
  operation text NOT NULL,
  process_id text NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  held bigint NOT NULL,
  duration_sum_ms double precision NOT NULL,
  duration_max_ms double precision NOT NULL,
  histogram bigint[] NOT NULL,
  CONSTRAINT sla_minute_pkey PRIMARY KEY (adapter_id, operation, process_id, starts_at)
) WITH (fillfactor=80);

CREATE TABLE sla_minute_total (
  starts_at timestamp with time zone NOT NULL,
  adapter_id uuid NOT NULL,
  operation text NOT NULL,
  calls bigint NOT NULL,
  errors bigint NOT NULL,
  held bigint NOT NULL,
  duration_sum_ms double precision NOT NULL,
  duration_max_ms double precision NOT NULL,
  histogram bigint[] NOT NULL,
  CONSTRAINT sla_minute_total_pkey PRIMARY KEY (adapter_id, operation, starts_at)
) WITH (fillfactor=80);

CREATE TABLE spool_position (
  spool uuid NOT NULL,
  worker text NOT NULL,
  "position" bigint NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT spool_position_pkey PRIMARY KEY (spool)
);

CREATE TABLE sys_audit_log (
  id bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
  at timestamp with time zone NOT NULL DEFAULT now(),
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
  engine text,
  fingerprint text,
  is_indexed boolean NOT NULL DEFAULT true,
  CONSTRAINT sys_audit_log_pkey PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);

CREATE TABLE trigger (
  id uuid NOT NULL,
  name text NOT NULL,
  description text NOT NULL DEFAULT ''::text,
  adapter_id uuid NOT NULL,
  topics text[] NOT NULL DEFAULT '{}'::text[],
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
  dead_letter_adapter_id uuid,
  dead_letter_topic text,
  state text NOT NULL,
  pending_moves jsonb NOT NULL DEFAULT '[]'::jsonb,
  managed boolean NOT NULL DEFAULT false,
  revision integer NOT NULL DEFAULT 1,
  created_at timestamp with time zone NOT NULL DEFAULT now(),
  updated_at timestamp with time zone NOT NULL DEFAULT now(),
  forward_adapter_id uuid GENERATED ALWAYS AS (((action ->> 'adapterId'::text))::uuid) STORED,
  CONSTRAINT trigger_adapter_id_fkey FOREIGN KEY (adapter_id) REFERENCES adapter(id),
  CONSTRAINT trigger_dead_letter_adapter_id_fkey FOREIGN KEY (dead_letter_adapter_id) REFERENCES adapter(id),
  CONSTRAINT trigger_forward_adapter_id_fkey FOREIGN KEY (forward_adapter_id) REFERENCES adapter(id),
  CONSTRAINT trigger_name_key UNIQUE (name),
  CONSTRAINT trigger_pkey PRIMARY KEY (id)
);

CREATE TABLE trigger_ledger (
  trigger_id uuid NOT NULL,
  message_id text NOT NULL,
  message_at timestamp with time zone NOT NULL,
  topic text NOT NULL,
  partition integer NOT NULL,
  at timestamp with time zone NOT NULL DEFAULT now(),
  is_open boolean NOT NULL DEFAULT false,
  CONSTRAINT trigger_ledger_pkey PRIMARY KEY (trigger_id, message_id)
);

CREATE TABLE worker_state (
  worker text NOT NULL,
  engine text NOT NULL,
  started_at timestamp with time zone NOT NULL,
  seen_at timestamp with time zone NOT NULL,
  in_flight integer NOT NULL,
  on_hold integer NOT NULL,
  records_waiting integer NOT NULL,
  poll_age_ms double precision,
  circuits jsonb NOT NULL,
  triggers jsonb NOT NULL DEFAULT '{}'::jsonb,
  CONSTRAINT worker_state_pkey PRIMARY KEY (worker)
) WITH (fillfactor=50);

CREATE INDEX alert_notice_due ON public.alert_notice USING btree (due_at) WHERE (status = 'waiting'::text);
CREATE INDEX alert_policy_id ON public.alert USING btree (policy_id);
CREATE INDEX dead_letter_at ON public.dead_letter USING btree (at, id);
CREATE INDEX dead_letter_request_id ON public.dead_letter USING btree (request_id);
CREATE INDEX dead_letter_waiting ON public.dead_letter USING btree (trigger_id) WHERE (state = 'waiting'::text);
CREATE INDEX publish_ledger_at ON public.publish_ledger USING btree (at);
CREATE INDEX settled_mark_at ON public.settled_mark USING btree (at);
CREATE INDEX sla_day_starts_at ON public.sla_day USING btree (starts_at);
CREATE INDEX sla_day_total_starts_at ON public.sla_day_total USING btree (starts_at);
CREATE INDEX sla_hour_starts_at ON public.sla_hour USING btree (starts_at);
CREATE INDEX sla_hour_total_starts_at ON public.sla_hour_total USING btree (starts_at);
CREATE INDEX sla_minute_starts_at ON public.sla_minute USING btree (starts_at);
CREATE INDEX sla_minute_total_starts_at ON public.sla_minute_total USING btree (starts_at);
CREATE INDEX sys_audit_log_job_key ON ONLY public.sys_audit_log USING btree (job_key, engine);
CREATE INDEX sys_audit_log_kinds ON ONLY public.sys_audit_log USING gin (sys_audit_log_facets(adapter_id, adapter_name, adapter_kind, source, operation, status, error_code, destination, process_id, element_id, actor)) WITH (gin_pending_list_limit='512') WHERE is_indexed;
CREATE INDEX sys_audit_log_process_instance ON ONLY public.sys_audit_log USING btree (process_instance_key);
CREATE INDEX sys_audit_log_request_id ON ONLY public.sys_audit_log USING btree (request_id);
CREATE INDEX trigger_adapter ON public.trigger USING btree (adapter_id);
CREATE INDEX trigger_ledger_at ON public.trigger_ledger USING btree (at);
CREATE UNIQUE INDEX alert_open ON public.alert USING btree (policy_id, subject) WHERE (state <> 'resolved'::text);

CREATE OR REPLACE FUNCTION public.bpmn_relay_notify_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
      BEGIN
        PERFORM pg_notify('bpmn_relay_change', TG_TABLE_NAME);
        RETURN NULL;
      END $function$;

CREATE OR REPLACE FUNCTION public.sys_audit_log_facets(adapter_id uuid, adapter_name text, adapter_kind text, source text, operation text, status text, error_code text, destination text, process_id text, element_id text, actor text)
 RETURNS integer[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
        SELECT array_remove(ARRAY[
          hashtext('adapter_id:' || $1::text), hashtext('adapter_name:' || $2), hashtext('adapter_kind:' || $3),
          hashtext('source:' || $4), hashtext('operation:' || $5), hashtext('status:' || $6),
          hashtext('error_code:' || $7), hashtext('destination:' || $8), hashtext('process_id:' || $9),
          hashtext('element_id:' || $10), hashtext('actor:' || $11)], NULL)
      $function$;

CREATE TRIGGER adapter_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.adapter FOR EACH STATEMENT EXECUTE FUNCTION bpmn_relay_notify_change();
CREATE TRIGGER environment_variable_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.environment_variable FOR EACH STATEMENT EXECUTE FUNCTION bpmn_relay_notify_change();
CREATE TRIGGER trigger_changed AFTER INSERT OR DELETE OR UPDATE OR TRUNCATE ON public.trigger FOR EACH STATEMENT EXECUTE FUNCTION bpmn_relay_notify_change();
