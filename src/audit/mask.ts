import { RelayError } from '../core/errors.js'
import { isVerbatimNumber, parseVerbatim, stringifyExact } from '../core/exact-json.js'

const MASKED = '***'
/** Better nothing than a secret. */
const UNREADABLE = JSON.stringify({ unreadable: MASKED })
const NOTHING = /(?!)/
const STEP = /\.(\*|[^.[\]*]+)|\[(\*|\d+|'[^']+')\]/gy

export interface MaskRules {
  /**
   * A member named like one of these, or ending so, loses its value. Case does not count, nor what stands between words:
   * `apiKey` is `X-Api-Key` too.
   */
  names: readonly string[]
  /** Places in a request: `$.message.card.number`, `$.message.items[*].iban`, `$.headers['x-key']`. */
  paths: readonly string[]
}

export interface Mask {
  /** Whether the rules may hide something of a text, or of the beginning of one. Cheap: most texts hold nothing. */
  mayHide(json: string): boolean
  /** JSON text without what the rules hide; every other number keeps its digits. */
  hide(json: string): string
}

/** @throws RelayError CONFIG_INVALID naming a path that is none. */
export function createMask({ names, paths }: MaskRules): Mask {
  const words = names.map(wordsOf).filter((word) => word !== '')
  const isSecret = words.length > 0 ? new RegExp(`(?:${words.join('|')})$`, 'i') : NOTHING
  const places = paths.map(stepsOf)
  const mayHide = hintOf(words, places)

  function maskedValue(value: unknown, open: readonly Steps[]): unknown {
    if (open.some((steps) => steps.length === 0)) return MASKED
    // Messages are often JSON within a text.
    if (typeof value === 'string') return /^\s*[[{]/.test(value) ? maskedText(value, open) : value
    if (Array.isArray(value)) return value.map((item, at) => maskedValue(item, below(open, String(at))))
    if (value === null || typeof value !== 'object' || isVerbatimNumber(value)) return value
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [
        name,
        isSecret.test(name) ? MASKED : maskedValue(member, below(open, name)),
      ]),
    )
  }

  function maskedText(text: string, open: readonly Steps[], otherwise = text): string {
    let value: unknown
    try {
      value = parseVerbatim(text)
    } catch {
      return otherwise
    }
    return stringifyExact(maskedValue(value, open))
  }

  return { mayHide, hide: (json) => maskedText(json, places, UNREADABLE) }
}

/** Names on the way to a place; null stands for any. */
type Steps = (string | null)[]

function stepsOf(path: string): Steps {
  const steps = path.startsWith('$') ? [...path.slice(1).matchAll(STEP)] : []
  const length = steps.reduce((sum, [step]) => sum + step.length, 1)
  if (steps.length === 0 || length !== path.length) {
    throw new RelayError(
      'CONFIG_INVALID',
      `BPMN_RELAY_AUDIT_MASK_PATHS: ${JSON.stringify(path)} is no path: write it as $.message.card.number or $.message.items[*].iban`,
    )
  }
  return steps.map(([, name, index = '']) => {
    const step = name ?? index.replace(/^'|'$/g, '')
    return step === '*' ? null : step
  })
}

/** What is left of the paths that go through this member. */
function below(open: readonly Steps[], name: string): Steps[] {
  return open.filter(([step]) => step === null || step === name).map(([, ...rest]) => rest)
}

/** A name as a pattern: `apiKey`, `api-key` and `api key` are the same two words. */
function wordsOf(name: string): string {
  const words = name.split(/[-_.\s]+|(?<=[a-z])(?=[A-Z])/).filter((word) => word !== '')
  return words.map(escaped).join('[-_.\\s]?')
}

function hintOf(words: readonly string[], places: readonly Steps[]): (json: string) => boolean {
  const hints = [...words]
  for (const steps of places) {
    const last = steps.findLast((step) => step !== null && /^[\w -]*[a-z_][\w -]*$/i.test(step))
    if (last == null) return () => true
    hints.push(escaped(last))
  }
  if (hints.length === 0) return () => false
  // Looked for backwards from each colon: there are few of them, and each other place could begin a name. In JSON that is a
  // text within JSON, quotes and blanks have backslashes.
  const hint = new RegExp(`(?<=(?:${hints.join('|')})(?:["'\\s\\\\]|\\\\[nrt])*)`, 'iy')
  return (json) => {
    // `indexOf` finds the colons of long texts several times sooner than a pattern does.
    for (let colon = json.indexOf(':'); colon !== -1; colon = json.indexOf(':', colon + 1)) {
      hint.lastIndex = colon
      if (hint.test(json)) return true
    }
    // A name may be written with escapes.
    return json.includes('\\u')
  }
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
