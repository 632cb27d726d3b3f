import type { StartPosition } from '../brokers/operator.js'
import { RelayError } from '../core/errors.js'
import type { GroupMove, TriggerSettings } from './trigger.js'
import { listensTo } from './trigger-settings.js'

export const STARTUP_POSITIONS = ['group-offsets', 'earliest', 'latest', 'specific-offsets', 'date'] as const

/** Where the group of a new trigger begins, in the words that people use. */
export interface StartupPosition {
  /** One of STARTUP_POSITIONS; default: `group-offsets`, where the group stands. */
  type?: string | undefined
  /** With `specific-offsets`: partitions as `topic/partition`, and offsets; others begin where the group stands. */
  offsets?: readonly (readonly [partition: string, offset: string | number | bigint])[] | undefined
  /** With `date`: see `parseTime`. */
  date?: string | undefined
}

const LARGEST_OFFSET = 2n ** 63n - 1n

/** @throws RelayError SETTINGS_INVALID */
export function startupMoves({ type = 'group-offsets', offsets = [], date }: StartupPosition): GroupMove[] {
  const known = STARTUP_POSITIONS.find((position) => position === type)
  if (!known) {
    throw invalid(`startup position "${type}" is not known: use one of ${STARTUP_POSITIONS.join(', ')}`)
  }
  if (offsets.length > 0 && known !== 'specific-offsets') {
    throw invalid(`offsets are given, but the startup position is ${known}: make it specific-offsets`)
  }
  if (date !== undefined && known !== 'date') {
    throw invalid(`date ${date} is given, but the startup position is ${known}: make it date`)
  }
  switch (known) {
    case 'group-offsets':
      return []
    case 'earliest':
    case 'latest':
      return [{ to: { at: known } }]
    case 'date':
      if (date === undefined) throw invalid('startup position date needs a date')
      return [{ to: { at: 'time', time: parseTime(date) } }]
    case 'specific-offsets':
      return specificMoves(offsets)
  }
}

function specificMoves(offsets: NonNullable<StartupPosition['offsets']>): GroupMove[] {
  if (offsets.length === 0) {
    throw invalid('startup position specific-offsets needs offsets, such as user-topic/0: 91')
  }
  const seen = new Set<string>()
  return offsets.map(([place, given]) => {
    const [, topic, digits = ''] = /^(.+)\/(\d{1,9})$/.exec(place.trim()) ?? []
    if (topic === undefined) {
      throw invalid(`offset of "${place}": write the partition as topic/partition, such as user-topic/0`)
    }
    const partition = Number(digits)
    if (seen.has(`${topic}/${partition}`))
      throw invalid(`offset of "${place}" is given twice: once is enough`)
    seen.add(`${topic}/${partition}`)
    return { to: { at: 'offset', offset: parseOffset(place, given) }, topic, partitions: [partition] }
  })
}

/** @returns decimal text. @throws RelayError SETTINGS_INVALID */
export function parseOffset(of: string, given: string | number | bigint): string {
  const text = String(given).trim()
  if (/^\d{1,19}$/.test(text) && BigInt(text) <= LARGEST_OFFSET) return BigInt(text).toString()
  throw invalid(`offset of "${of}" is ${JSON.stringify(text)}: use a whole number, 0 or more`)
}

const TIME =
  /^(\d{4}-\d\d-\d\d)(?:(?:T|\s+)(\d\d:\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s*(Z|UTC|GMT|[+-]\d\d(?::?\d\d)?))?$/i

/**
 * Milliseconds since 1970 of a time as ISO 8601 or with a space in the place of its T, such as
 * `2020-02-01 04:15:00.00 Z`. A date alone is its midnight, UTC; a time must name its zone.
 * @throws RelayError SETTINGS_INVALID
 */
export function parseTime(text: string): number {
  const [, day = '', minute = '00:00', second = '00', fraction = '', zone = 'Z'] =
    TIME.exec(text.trim()) ?? []
  const [, sign, hours = '', minutes = '00'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? []
  const clock = `${minute}:${second}.${fraction.padEnd(3, '0').slice(0, 3)}`
  const time = Date.parse(`${day}T${clock}${sign === undefined ? 'Z' : `${sign}${hours}:${minutes}`}`)
  // Days that a month does not have would else run over into the next.
  if (!Number.isNaN(time) && new Date(`${day}T00:00Z`).toISOString().startsWith(day) && time >= 0) return time
  throw invalid(
    `date ${JSON.stringify(text)} is no time with a zone since 1970: write it such as 2020-02-01T04:15:00Z`,
  )
}

/** @throws RelayError SETTINGS_INVALID */
export function parseInitialOffset(text: string): TriggerSettings['initialOffset'] {
  switch (text.toLowerCase()) {
    case 'latest':
    case 'newest':
      return 'latest'
    case 'earliest':
    case 'oldest':
      return 'earliest'
    default:
      throw invalid(`initialOffset "${text}" is not known: use latest (or newest) or earliest (or oldest)`)
  }
}

/** Refuses to move topics that the trigger does not listen to. @throws RelayError SETTINGS_INVALID */
export function checkMoves(moves: readonly GroupMove[], settings: TriggerSettings): void {
  for (const { topic } of moves) {
    if (topic === undefined || listensTo(settings, topic)) continue
    const those = settings.topicPattern ?? settings.topics.join(', ')
    throw invalid(`topic "${topic}" is none that trigger "${settings.name}" listens to: use one of ${those}`)
  }
}

/** A position in words, such as `offset 91`. */
export function positionText(to: StartPosition): string {
  switch (to.at) {
    case 'earliest':
    case 'latest':
      return to.at
    case 'offset':
      return `offset ${to.offset}`
    case 'time':
      return new Date(to.time).toISOString()
  }
}

function invalid(message: string): RelayError {
  return new RelayError('SETTINGS_INVALID', message)
}
