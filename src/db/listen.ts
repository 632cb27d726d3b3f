import pg from 'pg'
import { messageOf } from '../core/errors.js'
import type { Log } from '../core/log.js'
import { endsWithin, pause } from '../core/time-limit.js'

const FIRST_BACK_OFF_MS = 200
const LONGEST_BACK_OFF_MS = 5000
const CONNECT_TIMEOUT_MS = 3000
const HANG_UP_LIMIT_MS = 1000

export interface Listening {
  close(): Promise<void>
}

/**
 * Calls `onNotice` for each notification on a channel, on a connection of its own, and after each (re)connect, since
 * notices of the time in between are lost.
 */
export function listen(url: string, channel: string, onNotice: () => void, log: Log): Listening {
  const stop = new AbortController()
  let client: pg.Client | undefined

  async function connectOnce(): Promise<void> {
    const current = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      application_name: 'bpmn-relay listen',
    })
    client = current
    const ended = new Promise<void>((resolve) => {
      current.on('error', () => resolve())
      current.on('end', () => resolve())
    })
    current.on('notification', () => onNotice())
    try {
      // A client that is told to end while it connects never says how its connect came out.
      await Promise.race([current.connect(), ended])
      if (stop.signal.aborted) return
      await current.query(`LISTEN ${current.escapeIdentifier(channel)}`)
      onNotice()
      await ended
    } finally {
      await hangUp(current)
    }
  }

  const loop = (async () => {
    let backOff = FIRST_BACK_OFF_MS
    while (!stop.signal.aborted) {
      const startedAt = performance.now()
      try {
        await connectOnce()
      } catch (error) {
        log.warn('cannot listen for changes; trying again', { reason: messageOf(error) })
      }
      if (performance.now() - startedAt > LONGEST_BACK_OFF_MS) backOff = FIRST_BACK_OFF_MS
      await pause(backOff, stop.signal)
      backOff = Math.min(backOff * 2, LONGEST_BACK_OFF_MS)
    }
  })()

  return {
    async close() {
      stop.abort()
      if (client) await hangUp(client)
      await loop
    },
  }
}

/** A server that is gone without a word does not answer a goodbye either. */
async function hangUp(client: pg.Client): Promise<void> {
  await endsWithin(client.end(), HANG_UP_LIMIT_MS)
}
