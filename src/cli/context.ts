import { type Config, readConfig } from '../core/config.js'
import type { Log } from '../core/log.js'
import type { Workbench } from '../service.js'

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
export async function withWorkbench<T>(use: (workbench: Workbench) => Promise<T>): Promise<T> {
  const { config, log } = await readContext()
  const { openWorkbench } = await import('../service.js')
  const workbench = await openWorkbench(config, log)
  try {
    return await use(workbench)
  } finally {
    await workbench.database.close()
  }
}
