import type { NewDeadLetter } from './give-up.js'

/**
 * Adds dead letters, given as `deadLettersJson`, to what a statement does. A message that is there already is one
 * that was moved back to and failed again: it waits again, with the new reason.
 * @param parameter of the statement, such as `$39`
 */
export function insertDeadLetters(parameter: string): string {
  return `
  INSERT INTO dead_letter (
    id, trigger_id, trigger_name, adapter_id, adapter_name, request_id, topic, partition, broker, queue_offset,
    message_id, message_at, key, value, headers, tag, keys, message_group, attempts, stage, error_code, error_text)
  SELECT
    id, "triggerId", "triggerName", "adapterId", "adapterName", "requestId", topic, partition, broker, "offset",
    "messageId", "messageAt", key, value, headers, tag, keys, "messageGroup", attempts, stage, "errorCode", "errorText"
  FROM jsonb_to_recordset(${parameter}::jsonb) AS letter(
    id uuid, "triggerId" uuid, "triggerName" text, "adapterId" uuid, "adapterName" text, "requestId" text, topic text,
    partition int, broker text, "offset" bigint, "messageId" text, "messageAt" timestamptz, key bytea, value bytea,
    headers jsonb, tag text, keys text[], "messageGroup" text, attempts int, stage text, "errorCode" text,
    "errorText" text)
  ON CONFLICT (trigger_id, message_id, message_at) DO UPDATE SET
    at = now(),
    trigger_name = excluded.trigger_name,
    adapter_id = excluded.adapter_id,
    adapter_name = excluded.adapter_name,
    request_id = excluded.request_id,
    attempts = excluded.attempts,
    stage = excluded.stage,
    error_code = excluded.error_code,
    error_text = excluded.error_text,
    state = 'waiting',
    resolved_at = NULL,
    resolved_by = NULL,
    resolved_note = NULL`
}

/**
 * The parameter of `insertDeadLetters`: '[]' for none. Sorted, so that writers of several workers cannot deadlock; of
 * one message that is there twice the later counts, as a statement can touch a row only once.
 */
export function deadLettersJson(letters: readonly NewDeadLetter[]): string {
  const rows = new Map<string, NewDeadLetter>()
  for (const letter of letters) {
    rows.set(`${letter.triggerId} ${letter.messageId} ${letter.messageAt.getTime()}`, letter)
  }
  const sorted = [...rows].sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify(
    sorted.map(([, { key, value, ...letter }]) => ({ ...letter, key: bytea(key), value: bytea(value) })),
  )
}

function bytea(bytes: Buffer | null): string | null {
  return bytes && `\\x${bytes.toString('hex')}`
}
