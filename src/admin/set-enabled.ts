import { v7 as uuidv7 } from 'uuid'
import type { Adapter } from '../adapters/adapter.js'
import { recordAdminActions } from '../audit/admin-actions.js'
import type { AdminContext } from './adapter-admin.js'

/** Works for an adapter whose settings cannot be resolved, too. @throws RelayError NOT_FOUND */
export async function setAdapterEnabled(
  { store, database, actor }: AdminContext,
  idOrName: string,
  enabled: boolean,
): Promise<Adapter> {
  const startedAt = performance.now()
  const adapter = await store.setEnabled(idOrName, enabled)
  await recordAdminActions(database, [
    {
      requestId: uuidv7(),
      operation: enabled ? 'adapter.enable' : 'adapter.disable',
      actor,
      adapterId: adapter.id,
      adapterName: adapter.name,
      adapterKind: adapter.kind,
      destination: null,
      receipt: null,
      status: 'done',
      errorCode: null,
      errorText: null,
      durationMs: performance.now() - startedAt,
      request: null,
    },
  ])
  return adapter
}
