import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { v7 as uuidv7 } from 'uuid'
import { Timestamp } from '../db/row-types.js'
import type { Session } from '../db/session.js'
import type { Notice } from './notice.js'
import type { AlertPolicy } from './policy.js'
import { firingText, type Subject } from './wording.js'

const optionalText = Type.Union([Type.String(), Type.Null()])

const OpenAlertRow = Type.Object({
  id: Type.String(),
  policyId: optionalText,
  policyName: Type.String(),
  metric: Type.String(),
  subject: Type.String(),
  adapterName: optionalText,
  state: Type.Union([Type.Literal('pending'), Type.Literal('firing')]),
  since: Timestamp,
  silenced: Type.Boolean(),
})

export type OpenAlert = Static<typeof OpenAlertRow>

export async function openAlerts(session: Session): Promise<OpenAlert[]> {
  const rows = await session.query(
    `SELECT id, policy_id AS "policyId", policy_name AS "policyName", metric, subject, adapter_name AS "adapterName",
       state, since, silenced
     FROM alert WHERE state <> 'resolved'`,
  )
  return rows.map((row) => Value.Parse(OpenAlertRow, row))
}

/** How alerts change, each change together with the notices it makes. */
export class AlertWriter {
  readonly #session: Session
  readonly #now: Date

  constructor(session: Session, now: Date) {
    this.#session = session
    this.#now = now
  }

  async begin(policy: AlertPolicy, subject: Subject): Promise<void> {
    await this.#insert(policy, subject)
  }

  async drop({ id }: OpenAlert): Promise<void> {
    await this.#session.query('DELETE FROM alert WHERE id = $1', [id])
  }

  /** @returns what people are told */
  async fire(
    policy: AlertPolicy,
    subject: Subject,
    open: OpenAlert | undefined,
    { since, value, silenced }: { since: Date; value: number; silenced: boolean },
  ): Promise<string> {
    const alertId = open?.id ?? (await this.#insert(policy, subject))
    const text = firingText(policy, subject, value)
    await this.#session.query(
      `UPDATE alert SET state = 'firing', policy_name = $2, severity = $3, fired_at = now(), value = $4, text = $5,
         silenced = $6
       WHERE id = $1`,
      [alertId, policy.name, policy.severity, value, text, silenced],
    )
    const notice: Notice = {
      id: `${alertId}:firing`,
      kind: 'firing',
      alertId,
      policy: policy.name,
      severity: policy.severity,
      title: titleOf('Firing', policy.name, subject.adapterName ?? subject.key),
      text,
      metric: policy.metric,
      value,
      threshold: policy.threshold,
      adapter: subject.adapterName,
      since,
      at: this.#now,
      owners: policy.owners,
    }
    await this.#session.query(
      `INSERT INTO alert_notice (alert_id, kind, notifier, notice, status)
       SELECT $1, 'firing', notifier, $3, $4 FROM unnest($2::text[]) AS notifier`,
      [alertId, policy.notifiers, notice, silenced ? 'silenced' : 'waiting'],
    )
    return text
  }

  /** Those are told who were told, or will be, that it fires. */
  async resolve(
    { id, policyName, subject, adapterName }: OpenAlert,
    because: string,
    value: number | null,
  ): Promise<void> {
    await this.#session.query(
      `UPDATE alert SET state = 'resolved', resolved_at = now(), resolved_because = $2 WHERE id = $1`,
      [id, because],
    )
    const changes = {
      id: `${id}:resolved`,
      kind: 'resolved',
      title: titleOf('Resolved', policyName, adapterName ?? subject),
      text: because,
      value,
      at: this.#now,
    } satisfies Partial<Notice>
    await this.#session.query(
      `INSERT INTO alert_notice (alert_id, kind, notifier, notice, status)
       SELECT alert_id, 'resolved', notifier, notice || $2::jsonb, 'waiting' FROM alert_notice
       WHERE alert_id = $1 AND kind = 'firing' AND status IN ('waiting', 'delivered')`,
      [id, changes],
    )
  }

  /** It still fires after its silence: now people are told. */
  async unsilence({ id }: OpenAlert): Promise<void> {
    await this.#session.query('UPDATE alert SET silenced = false WHERE id = $1', [id])
    await this.#session.query(
      `UPDATE alert_notice SET status = 'waiting', due_at = now() WHERE alert_id = $1 AND status = 'silenced'`,
      [id],
    )
  }

  async #insert(policy: AlertPolicy, subject: Subject): Promise<string> {
    const id = uuidv7()
    await this.#session.query(
      `INSERT INTO alert (id, policy_id, policy_name, metric, severity, subject, adapter_id, adapter_name, state, since)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'pending', now())`,
      [
        id,
        policy.id,
        policy.name,
        policy.metric,
        policy.severity,
        subject.key,
        subject.adapterId,
        subject.adapterName,
      ],
    )
    return id
  }
}

function titleOf(state: string, policy: string, subject: string): string {
  return subject === '' ? `${state}: ${policy}` : `${state}: ${policy} (${subject})`
}
