import { MESSAGE_ORDERS } from '../../src/brokers/subscription.js'
import type { TriggerAdapter } from '../../src/trigger/trigger-adapters.js'

/** An adapter through which everything can be consumed, unless it is said otherwise. Its id is its name. */
export function triggerAdapter(name: string, given: Partial<TriggerAdapter> = {}): TriggerAdapter {
  return {
    ...{ id: name, name, kind: 'kafka', filters: false, listsTopics: true, movesGroups: true },
    orders: MESSAGE_ORDERS,
    valueSerialization: 'json',
    checkSource: () => ({ concurrency: 20, batchSize: 1 }),
    ...given,
  }
}
