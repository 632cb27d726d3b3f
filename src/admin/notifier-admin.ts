import { v7 as uuidv7 } from 'uuid'
import { publicSettings } from '../adapters/stored-settings.js'
import type { Notice } from '../alerts/notice.js'
import { notifierKind } from '../alerts/notifiers/kinds.js'
import {
  createNotifierStore,
  type NewNotifier,
  type Notifier,
  type NotifierChange,
  type NotifierStore,
} from '../alerts/notifiers/store.js'
import type { AdminContext } from './adapter-admin.js'
import { audited, type Deed } from './audited.js'

/** What an operator does with notifiers; each change is in the audit log, also one that failed. */
export interface NotifierAdmin {
  readonly store: Pick<NotifierStore, 'notifier' | 'notifiers'>
  /** @throws RelayError as the store does, as all below */
  create(input: NewNotifier): Promise<Notifier>
  update(notifier: Notifier, change: NotifierChange): Promise<Notifier>
  setEnabled(name: string, enabled: boolean): Promise<Notifier>
  delete(name: string): Promise<Notifier>
  /**
   * Delivers a test notice, by a disabled notifier too.
   * @returns what went wrong without keeping it from being delivered
   * @throws RelayError NOTIFIER_REFUSED, NOTIFIER_UNREACHABLE with the reason of the far side
   */
  test(name: string): Promise<string[]>
}

export function createNotifierAdmin({
  database,
  store: adapters,
  secrets,
  log,
  actor,
}: Pick<AdminContext, 'database' | 'store' | 'secrets' | 'log' | 'actor'>): NotifierAdmin {
  const store = createNotifierStore(database, adapters, secrets)
  const nobody = { adapterId: null, adapterName: null, adapterKind: null }
  const recorded = <T>(deed: Deed, work: () => Promise<T>) =>
    audited(database, { actor, ...nobody }, deed, work)

  return {
    store,

    async create(input) {
      const { kind, name } = input
      const request = { kind, settings: publicSettings(input.settings, notifierKind(kind).settings) }
      return await recorded({ operation: 'notifier.create', destination: name, request }, () =>
        store.create(input),
      )
    },

    async update({ id, name, kind }, change) {
      const { settings, ...rest } = change
      const shown = settings && publicSettings(settings, notifierKind(kind).settings)
      const request = { ...rest, settings: shown }
      return await recorded({ operation: 'notifier.update', destination: name, request }, () =>
        store.update(id, change),
      )
    },

    async setEnabled(name, enabled) {
      const operation = enabled ? 'notifier.enable' : 'notifier.disable'
      return await recorded({ operation, destination: name }, () => store.setEnabled(name, enabled))
    },

    async delete(name) {
      return await recorded({ operation: 'notifier.delete', destination: name }, () => store.delete(name))
    },

    async test(name) {
      return await recorded({ operation: 'notifier.test', destination: name }, async () => {
        const notifier = await store.notifier(name)
        const deliver = await store.open(notifier, log.child({ notifier: notifier.name }))
        return await deliver(testNotice(notifier.name, actor))
      })
    },
  }
}

function testNotice(notifier: string, actor: string): Notice {
  const now = new Date()
  return {
    id: uuidv7(),
    kind: 'test',
    alertId: null,
    policy: notifier,
    severity: 'info',
    title: `Test: ${notifier}`,
    text: `${actor} tries the notifier "${notifier}". Nothing is wrong.`,
    metric: 'test',
    value: null,
    threshold: 0,
    adapter: null,
    since: now,
    at: now,
    owners: [],
  }
}
