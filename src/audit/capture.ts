import type { Config } from '../core/config.js'
import { membersOf, objectOf } from '../core/json.js'
import { createMask } from './mask.js'

export type CaptureRules = Pick<
  Config,
  'auditCapture' | 'auditCaptureChars' | 'auditMaskNames' | 'auditMaskPaths'
>

/**
 * What audit log and file log keep of a request: JSON text of its members, each of them JSON text, masked, with the
 * message last and cut to the cap. Null when there is nothing.
 */
export type Capture = (
  members: readonly [name: string, json: string][],
  message: string | undefined,
) => string | null

/** @throws RelayError CONFIG_INVALID naming a mask path that is none. */
export function createCapture(rules: CaptureRules): Capture {
  const { auditCapture: level, auditCaptureChars: maxChars } = rules
  const mask = createMask({ names: rules.auditMaskNames, paths: rules.auditMaskPaths })
  return (members, message) => {
    if (level === 'none') return null
    const all = [...members]
    if (message !== undefined && level === 'full') all.push(['message', message])
    if (all.length === 0) return null
    // What is cut off needs no mask.
    const isLong = all.some(([, json]) => json.length > 2 * maxChars)
    const shown = objectOf(isLong ? all.map(([name, json]) => [name, json.slice(0, 2 * maxChars)]) : all)
    if (!mask.mayHide(shown)) return shown.length <= maxChars ? shown : cut(new Map(all), maxChars)
    // Masked before it is cut: what is left of a secret is one too.
    return cut(membersOf(mask.hide(objectOf(all))), maxChars)
  }
}

function cut(members: Map<string, string>, maxChars: number): string {
  const message = members.get('message') ?? ''
  if (message.length > maxChars) {
    members.delete('message')
    members.set('messageStart', JSON.stringify(message.slice(0, maxChars)))
    members.set('messageLength', String(message.length))
  }
  return objectOf(members).slice(0, 2 * maxChars)
}
