import { hash } from 'node:crypto'

/** They travel through headers, logs and indexes. */
const REQUEST_ID = /^[\x21-\x7e]{1,200}$/
const MOST_MS = 2 ** 48 - 1

export function isRequestId(text: string): boolean {
  return REQUEST_ID.test(text)
}

/**
 * The id of what happened at a time, milliseconds since 1970, to what `origin` names; the same whenever it is derived. A UUID
 * of version 8, the time first: neighbours in time are neighbours in the index of the audit log.
 */
export function timedRequestId(time: number, origin: string): string {
  const when = Math.min(Math.max(0, Math.trunc(time)), MOST_MS)
  const digits = when.toString(16).padStart(12, '0')
  const rest = hash('sha1', origin)
  return `${digits.slice(0, 8)}-${digits.slice(8)}-8${rest.slice(0, 3)}-8${rest.slice(3, 6)}-${rest.slice(6, 18)}`
}
