import { userInfo } from 'node:os'
import type { AdapterAdmin, AdminContext } from '../admin/adapter-admin.js'
import type { AdapterChanges } from '../admin/adapter-changes.js'
import type { AlertAdmin } from '../admin/alert-admin.js'
import type { TriggerAdmin } from '../admin/trigger-admin.js'
import { type Config, readConfig } from '../core/config.js'
import type { Log } from '../core/log.js'
import type { Workbench } from '../service.js'
import type { TriggerHandler } from '../trigger/run-trigger.js'

export interface Context {
  config: Config
  log: Log
}

/** @throws RelayError CONFIG_INVALID */
export async function readContext(env: NodeJS.ProcessEnv = process.env): Promise<Context> {
  const config = readConfig(env)
  const { createLog } = await import('../core/log.js')
  return { config, log: createLog({ level: config.logLevel, format: config.logFormat }) }
}

/** Gives a command the configured database, migrated, and closes it when the command is done. */
export async function withWorkbench<T>(
  use: (workbench: Workbench, context: Context) => Promise<T>,
): Promise<T> {
  const context = await readContext()
  const { openWorkbench } = await import('../service.js')
  const workbench = await openWorkbench(context.config, context.log)
  try {
    return await use(workbench, context)
  } finally {
    await workbench.database.close()
  }
}

/** As `withWorkbench`, for what the user of this machine does with adapters. */
export async function withAdminContext<T>(
  use: (context: AdminContext, config: Config) => Promise<T>,
): Promise<T> {
  const { createCapture } = await import('../audit/capture.js')
  return await withWorkbench((workbench, { config, log }) => {
    const { modulesFolder } = config
    const capture = createCapture(config)
    return use({ ...workbench, modulesFolder, capture, log, actor: userName() }, config)
  })
}

/** Gives a command what handles messages as triggers do, and the context of an operator beside it. */
export async function withTriggerHandler<T>(
  use: (handler: TriggerHandler, context: AdminContext) => Promise<T>,
): Promise<T> {
  const { withTriggerHandler: withHandler } = await import('../service.js')
  return await withAdminContext((context, config) =>
    withHandler(context, config, context.log, (handler) => use(handler, context)),
  )
}

/** Gives a command what an operator changes of adapters and variables. */
export async function withAdapterChanges<T>(
  use: (changes: AdapterChanges, context: AdminContext) => Promise<T>,
): Promise<T> {
  const { createAdapterChanges } = await import('../admin/adapter-changes.js')
  return await withAdminContext((context) => use(createAdapterChanges(context), context))
}

/** Gives a command one adapter, by name or id, to act through. */
export async function withAdapterAdmin<T>(
  adapter: string,
  use: (admin: AdapterAdmin) => Promise<T>,
): Promise<T> {
  const { withAdapter } = await import('../admin/adapter-admin.js')
  return await withAdminContext((context) => withAdapter(context, adapter, use))
}

/** Gives a command what an operator does with alerts, and the workbench beside it. */
export async function withAlertAdmin<T>(
  use: (admin: AlertAdmin, context: AdminContext) => Promise<T>,
): Promise<T> {
  const { AlertAdmin } = await import('../admin/alert-admin.js')
  return await withAdminContext((context) => use(new AlertAdmin(context), context))
}

/** Gives a command what an operator does with triggers, and the workbench beside it. */
export async function withTriggerAdmin<T>(
  use: (admin: TriggerAdmin, context: AdminContext) => Promise<T>,
): Promise<T> {
  const { TriggerAdmin } = await import('../admin/trigger-admin.js')
  return await withAdminContext((context) => use(new TriggerAdmin(context), context))
}

function userName(): string {
  try {
    return userInfo().username
  } catch {
    // Containers may run under a number that no user of the system has.
    return `uid ${process.getuid?.() ?? 'unknown'}`
  }
}
