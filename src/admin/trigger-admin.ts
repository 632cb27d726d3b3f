import { checkMoves } from '../trigger/positions.js'
import type { GroupMove, Trigger, TriggerSettings, TriggerState } from '../trigger/trigger.js'
import { loadTriggerAdapters, type TriggerAdapters } from '../trigger/trigger-adapters.js'
import { checkedTrigger, type NewTrigger, withDefaults } from '../trigger/trigger-settings.js'
import {
  createTrigger,
  deleteTrigger,
  requestMoves,
  setState,
  trigger,
  updateTrigger,
} from '../trigger/triggers.js'
import type { AdminContext } from './adapter-admin.js'
import { type ActorAndAdapter, audited, type Deed } from './audited.js'

const DEED_OF_STATE = {
  running: 'trigger.resume',
  paused: 'trigger.pause',
  stopped: 'trigger.stop',
} as const satisfies Record<TriggerState, Deed['operation']>

type Context = Pick<AdminContext, 'database' | 'registry' | 'store' | 'secrets' | 'log' | 'actor'>

/** What an operator does with triggers, each deed in the audit log. */
export class TriggerAdmin {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  /**
   * @param moves where its group begins; none: where it stands.
   * @throws RelayError SETTINGS_INVALID, NAME_TAKEN
   */
  async create(
    given: NewTrigger,
    { moves = [], managed = false }: { moves?: readonly GroupMove[]; managed?: boolean } = {},
  ): Promise<Trigger> {
    const request = { ...given, moves }
    return await this.#audited(
      { operation: 'trigger.create', destination: given.name, request },
      given.adapterId,
      async () => {
        const adapters = await this.#adapters()
        checkMoves(moves, checkedTrigger(withDefaults(given, adapters), adapters), adapters)
        return await createTrigger(this.#context.database, given, adapters, { moves, managed })
      },
    )
  }

  /** @throws RelayError NOT_FOUND, SETTINGS_INVALID, NAME_TAKEN */
  async update(
    idOrName: string,
    changes: Partial<TriggerSettings>,
    options: { managed?: boolean } = {},
  ): Promise<Trigger> {
    return await this.#ofOne(idOrName, 'trigger.update', changes, async ({ id }) =>
      updateTrigger(this.#context.database, id, changes, await this.#adapters(), options),
    )
  }

  /** @throws RelayError NOT_FOUND */
  async setState(idOrName: string, state: TriggerState): Promise<Trigger> {
    return await this.#ofOne(idOrName, DEED_OF_STATE[state], undefined, ({ id }) =>
      setState(this.#context.database, id, state),
    )
  }

  /**
   * Has the workers move the group; they stop to consume for that.
   * @throws RelayError NOT_FOUND, SETTINGS_INVALID
   */
  async seek(idOrName: string, move: GroupMove): Promise<Trigger> {
    return await this.#ofOne(idOrName, 'trigger.seek', move, async (known) => {
      checkMoves([move], known, await this.#adapters())
      return await requestMoves(this.#context.database, known.id, [move])
    })
  }

  /** @throws RelayError NOT_FOUND */
  async delete(idOrName: string): Promise<Trigger> {
    return await this.#ofOne(idOrName, 'trigger.delete', undefined, ({ id }) =>
      deleteTrigger(this.#context.database, id),
    )
  }

  async #ofOne(
    idOrName: string,
    operation: Deed['operation'],
    request: unknown,
    work: (known: Trigger) => Promise<Trigger>,
  ): Promise<Trigger> {
    const known = await trigger(this.#context.database, idOrName)
    const deed = { operation, destination: known.name, request }
    return await this.#audited(deed, known.adapterId, () => work(known))
  }

  async #audited<T>(deed: Deed, adapterId: string, work: () => Promise<T>): Promise<T> {
    const { database, store, actor } = this.#context
    const adapter = (await store.adapters()).find(({ id }) => id === adapterId)
    const who: ActorAndAdapter = {
      actor,
      adapterId: adapter?.id ?? null,
      adapterName: adapter?.name ?? null,
      adapterKind: adapter?.kind ?? null,
    }
    return await audited(database, who, deed, work)
  }

  async #adapters(): Promise<TriggerAdapters> {
    return await loadTriggerAdapters(this.#context)
  }
}
