import { v7 as uuidv7 } from 'uuid'
import { type Alert, acknowledge } from '../alerts/alerts.js'
import type { Notice, Notifiers, Severity } from '../alerts/notice.js'
import { createNotifiers } from '../alerts/notifiers/notifiers.js'
import { createNotifierStore } from '../alerts/notifiers/store.js'
import {
  alertPolicy,
  createPolicy,
  deletePolicy,
  type PolicyInput,
  updatePolicy,
} from '../alerts/policies.js'
import type { AlertPolicy, PolicySettings } from '../alerts/policy.js'
import { addSilence, removeSilence } from '../alerts/silences.js'
import { conditionText } from '../alerts/wording.js'
import { driverOf } from '../brokers/registry.js'
import { RelayError, toRelayError } from '../core/errors.js'
import type { AdminContext } from './adapter-admin.js'
import { audited, type Deed } from './audited.js'

export interface GivenSilence {
  /** Each by id or name; undefined: whichever. */
  policy?: string | undefined
  adapter?: string | undefined
  severity?: Severity | undefined
  startsAt: Date
  endsAt: Date
  reason: string
}

type Context = Pick<AdminContext, 'database' | 'registry' | 'store' | 'secrets' | 'log' | 'actor'>

/** What an operator does with alerts, each deed in the audit log. */
export class AlertAdmin {
  readonly #context: Context
  readonly #notifiers: Notifiers

  constructor(context: Context) {
    this.#context = context
    const { database, store, secrets, log } = context
    this.#notifiers = createNotifiers(createNotifierStore(database, store, secrets), log)
  }

  /** @throws RelayError SETTINGS_INVALID, NAME_TAKEN, NOT_FOUND for an unknown notifier */
  create(settings: PolicyInput): Promise<AlertPolicy> {
    const deed = { operation: 'alert-policy.create', destination: settings.name, request: settings } as const
    return this.#audited(deed, async () => {
      await this.#checkReferences(settings)
      return await createPolicy(this.#context.database, settings)
    })
  }

  /** @throws RelayError NOT_FOUND, SETTINGS_INVALID, NAME_TAKEN */
  update(idOrName: string, changes: Partial<PolicyInput>): Promise<AlertPolicy> {
    const deed = { operation: 'alert-policy.update', destination: idOrName, request: changes } as const
    return this.#audited(deed, async () => {
      await this.#checkReferences(changes)
      return await updatePolicy(this.#context.database, idOrName, changes)
    })
  }

  /** @throws RelayError NOT_FOUND */
  setEnabled(idOrName: string, enabled: boolean): Promise<AlertPolicy> {
    const operation = enabled ? 'alert-policy.enable' : 'alert-policy.disable'
    return this.#audited({ operation, destination: idOrName }, () =>
      updatePolicy(this.#context.database, idOrName, { enabled }),
    )
  }

  /** @throws RelayError NOT_FOUND */
  delete(idOrName: string): Promise<AlertPolicy> {
    return this.#audited({ operation: 'alert-policy.delete', destination: idOrName }, () =>
      deletePolicy(this.#context.database, idOrName),
    )
  }

  /**
   * Sends a test through each notifier of a policy, at once, past the outbox.
   * @returns what each said: undefined when it was delivered
   * @throws RelayError NOT_FOUND; INPUT_INVALID for a policy that tells nobody
   */
  async test(idOrName: string): Promise<Map<string, RelayError | undefined>> {
    const { database, actor } = this.#context
    const policy = await alertPolicy(database, idOrName)
    if (policy.notifiers.length === 0) {
      throw new RelayError(
        'INPUT_INVALID',
        `alert policy "${policy.name}" has no notifier: \`bpmn-relay alert policy update "${policy.name}" --notifier NAME\` gives it one`,
      )
    }
    const notice = testNotice(policy, actor)
    return await this.#audited({ operation: 'alert-policy.test', destination: policy.name }, async () => {
      const sent = await Promise.allSettled(
        policy.notifiers.map((name) => this.#notifiers.send(name, notice)),
      )
      return new Map(
        policy.notifiers.map((name, index) => {
          const result = sent[index]
          return [name, result?.status === 'rejected' ? toRelayError(result.reason) : undefined]
        }),
      )
    })
  }

  /** @throws RelayError NOT_FOUND, INPUT_INVALID */
  acknowledge(id: string, note: string): Promise<Alert> {
    const { database, actor } = this.#context
    const deed = { operation: 'alert.acknowledge', destination: id, request: { note } } as const
    return this.#audited(deed, () => acknowledge(database, id, actor, note))
  }

  /** @returns its id. @throws RelayError NOT_FOUND, INPUT_INVALID */
  silence({ policy, adapter, severity, startsAt, endsAt, reason }: GivenSilence): Promise<string> {
    const { database, store, actor } = this.#context
    const request = { policy, adapter, severity, startsAt, endsAt, reason }
    return this.#audited({ operation: 'alert-silence.create', destination: null, request }, async () =>
      addSilence(database, {
        policyId: policy === undefined ? null : (await alertPolicy(database, policy)).id,
        adapterId: adapter === undefined ? null : (await store.adapter(adapter)).id,
        severity: severity ?? null,
        ...{ startsAt, endsAt, reason, createdBy: actor },
      }),
    )
  }

  /** @throws RelayError NOT_FOUND */
  unsilence(id: string): Promise<void> {
    return this.#audited({ operation: 'alert-silence.delete', destination: id }, () =>
      removeSilence(this.#context.database, id),
    )
  }

  #audited<T>(deed: Deed, work: () => Promise<T>): Promise<T> {
    const { database, actor } = this.#context
    return audited(database, { actor, adapterId: null, adapterName: null, adapterKind: null }, deed, work)
  }

  async #checkReferences({ adapterKind, notifiers = [] }: Partial<PolicySettings>): Promise<void> {
    if (adapterKind) driverOf(this.#context.registry, adapterKind)
    const known = await this.#notifiers.names()
    for (const name of notifiers) {
      if (known.includes(name)) continue
      const those = known.length === 0 ? 'there is none yet' : `use one of ${known.join(', ')}`
      throw new RelayError('NOT_FOUND', `there is no notifier "${name}": ${those}`)
    }
  }
}

function testNotice(policy: AlertPolicy, actor: string): Notice {
  const now = new Date()
  return {
    id: `test:${uuidv7()}`,
    kind: 'test',
    alertId: null,
    policy: policy.name,
    severity: policy.severity,
    title: `Test: ${policy.name}`,
    text: `${actor} tries whether notices of this policy arrive: ${conditionText(policy)}. Nothing is wrong.`,
    metric: policy.metric,
    value: null,
    threshold: policy.threshold,
    adapter: null,
    since: now,
    at: now,
    owners: policy.owners,
  }
}
