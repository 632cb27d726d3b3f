import { chmod, mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { holdPostgres } from '../../src/stack/postgres.js'

export interface OwnPostgres {
  /** The same after a restart. */
  url: string
  /** Ends it as a crash would. */
  kill(): Promise<void>
  /** Starts it again, with what it had. */
  restart(): Promise<void>
  /** Ends it for good. */
  stop(): Promise<void>
}

/** A Postgres of a test's own, which may be killed. */
export async function ownPostgres(): Promise<OwnPostgres> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'own-postgres-'))
  // Postgres does not run as root, but as a user who must be able to come here.
  await chmod(folder, 0o755)
  let held = await holdPostgres(folder)
  return {
    url: held.url,
    kill: () => held.kill(),
    async restart() {
      held = await holdPostgres(folder)
    },
    async stop() {
      await held.release()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
