import type { Adapter, AdapterChange, NewAdapter } from '../adapters/adapter.js'
import { adapterSettingsSchema } from '../adapters/resolve-adapter.js'
import type { VariableInput } from '../adapters/store.js'
import { publicSettings, SECRET } from '../adapters/stored-settings.js'
import { driverOf } from '../brokers/registry.js'
import type { AdminContext } from './adapter-admin.js'
import { audited, type Deed } from './audited.js'

type Context = Pick<AdminContext, 'database' | 'registry' | 'store' | 'actor'>

/** What an operator changes of adapters and variables; each change is in the audit log, also one that failed. */
export interface AdapterChanges {
  /** @throws RelayError as the store does, as all below */
  createAdapter(input: NewAdapter): Promise<Adapter>
  updateAdapter(idOrName: string, change: AdapterChange): Promise<Adapter>
  /** Works for an adapter whose settings cannot be resolved, too. */
  setAdapterEnabled(idOrName: string, enabled: boolean): Promise<Adapter>
  deleteAdapter(idOrName: string): Promise<Adapter>
  setVariable(variable: VariableInput): Promise<void>
  deleteVariable(name: string, options: { force: boolean }): Promise<void>
}

export function createAdapterChanges({ database, registry, store, actor }: Context): AdapterChanges {
  const nobody = { actor, adapterId: null, adapterName: null, adapterKind: null }

  const ofAdapter = async (
    idOrName: string,
    deedFor: (adapter: Adapter) => Pick<Deed, 'operation' | 'request'>,
    work: (id: string) => Promise<Adapter>,
  ): Promise<Adapter> => {
    const adapter = await store.adapter(idOrName)
    const { id, name, kind } = adapter
    const who = { actor, adapterId: id, adapterName: name, adapterKind: kind }
    return await audited(database, who, { destination: null, ...deedFor(adapter) }, () => work(id))
  }

  /** What was given, without secrets. */
  const requestOf = (kind: string, { settings, ...rest }: AdapterChange) => ({
    ...rest,
    ...(settings && {
      settings: publicSettings(settings, adapterSettingsSchema(driverOf(registry, kind))),
    }),
  })

  return {
    async createAdapter(input) {
      const { name, kind, ...given } = input
      const who = { actor, adapterId: null, adapterName: name, adapterKind: kind }
      const deed = {
        operation: 'adapter.create',
        destination: null,
        request: requestOf(kind, given),
      } as const
      return await audited(database, who, deed, () => store.createAdapter(input))
    },

    updateAdapter: (idOrName, change) =>
      ofAdapter(
        idOrName,
        ({ kind }) => ({ operation: 'adapter.update', request: requestOf(kind, change) }),
        (id) => store.updateAdapter(id, change),
      ),

    setAdapterEnabled: (idOrName, enabled) =>
      ofAdapter(
        idOrName,
        () => ({ operation: enabled ? 'adapter.enable' : 'adapter.disable' }),
        (id) => store.setEnabled(id, enabled),
      ),

    deleteAdapter: (idOrName) =>
      ofAdapter(
        idOrName,
        () => ({ operation: 'adapter.delete' }),
        (id) => store.deleteAdapter(id),
      ),

    async setVariable(variable) {
      const { name, value, secret, description, managed } = variable
      const shown = value !== undefined && secret ? SECRET : value
      const request = { value: shown, secret, description, managed }
      await audited(database, nobody, { operation: 'env.set', destination: name, request }, () =>
        store.setVariable(variable),
      )
    },

    async deleteVariable(name, options) {
      await audited(database, nobody, { operation: 'env.delete', destination: name, request: options }, () =>
        store.deleteVariable(name, options),
      )
    },
  }
}
