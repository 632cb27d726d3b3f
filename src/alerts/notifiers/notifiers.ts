import { RelayError } from '../../core/errors.js'
import type { Log } from '../../core/log.js'
import type { Notifiers } from '../notice.js'
import type { NotifierStore } from './store.js'

/**
 * The notifiers of the store, each looked up when a notice is to go: notices are rare, and a change counts at once.
 * What a notifier says is bounded in time by its own settings, so that none delays another for long.
 */
export function createNotifiers(store: NotifierStore, log: Log): Notifiers {
  return {
    async names() {
      return (await store.notifiers()).map(({ name }) => name)
    },

    async send(notifierName, notice) {
      const notifier = await store.notifier(notifierName)
      if (!notifier.enabled) {
        throw new RelayError(
          'NOTIFIER_DISABLED',
          `notifier "${notifier.name}" is disabled: \`bpmn-relay notifier enable ${notifier.name}\` lets later notices through`,
        )
      }
      const ownLog = log.child({ notifier: notifier.name })
      const deliver = await store.open(notifier, ownLog)
      for (const problem of await deliver(notice)) {
        ownLog.warn('a notice was delivered in part', { notice: notice.id, problem })
      }
    },
  }
}
