import { objectOf } from '../core/json.js'

/** Characters of a message that an audit row keeps. */
const MESSAGE_CAP = 8192

/**
 * What an audit row tells of a request: JSON text of its members, each of them JSON text, with the message last and cut
 * to what the cap leaves. Null when there is nothing.
 */
export function requestText(
  members: readonly [name: string, json: string][],
  message: string | undefined,
): string | null {
  const all = [...members]
  if (message !== undefined && message.length <= MESSAGE_CAP) all.push(['message', message])
  else if (message !== undefined) {
    all.push(['messageStart', JSON.stringify(message.slice(0, MESSAGE_CAP))])
    all.push(['messageLength', String(message.length)])
  }
  return all.length > 0 ? objectOf(all).slice(0, 2 * MESSAGE_CAP) : null
}
