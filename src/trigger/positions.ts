import type { StartPosition } from '../brokers/operator.js'
import { RelayError } from '../core/errors.js'
import { parseTime } from '../core/time-text.js'
import { listensTo } from './topic-pattern.js'
import type { GroupMove, TriggerSettings } from './trigger.js'
import type { TriggerAdapters } from './trigger-adapters.js'

export const STARTUP_POSITIONS = ['group-offsets', 'earliest', 'latest', 'specific-offsets', 'date'] as const

/** Where the group of a new trigger begins, in the words that people use. */
export interface StartupPosition {
  /** One of STARTUP_POSITIONS; default: `group-offsets`, where the group stands. */
  type?: string | undefined
  /** With `specific-offsets`: partitions as `topic/partition`, and offsets; others begin where the group stands. */
  offsets?: readonly (readonly [partition: string, offset: string | number | bigint])[] | undefined
  /** With `date`, such as `2020-02-01 04:15:00.00 Z` or an ISO 8601 time. */
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
      return [{ to: { at: 'time', time: timeOf(date) } }]
    case 'specific-offsets':
      return specificMoves(offsets)
  }
}

function timeOf(date: string): number {
  const time = parseTime(date)
  if (time !== undefined) return time
  throw invalid(
    `date ${JSON.stringify(date)} is no time with a zone since 1970: write it such as 2020-02-01T04:15:00Z`,
  )
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

/** Offsets as texts such as `user-topic/0: 91`. @throws RelayError SETTINGS_INVALID */
export function parseOffsets(texts: readonly string[]): [partition: string, offset: string][] {
  return texts.map((text) => {
    const [, partition, offset] = /^(.+?)\s*[:=]\s*(\S+)$/.exec(text.trim()) ?? []
    if (partition !== undefined && offset !== undefined) return [partition, offset]
    throw invalid(`offset "${text}": write it as topic/partition: offset, such as "user-topic/0: 91"`)
  })
}

/** @returns decimal text. @throws RelayError SETTINGS_INVALID */
function parseOffset(of: string, given: string | number | bigint): string {
  const text = String(given).trim()
  if (/^\d{1,19}$/.test(text) && BigInt(text) <= LARGEST_OFFSET) return BigInt(text).toString()
  throw invalid(`offset of "${of}" is ${JSON.stringify(text)}: use a whole number, 0 or more`)
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

/**
 * Refuses moves that cannot be made, and those of topics that the trigger does not listen to.
 * @throws RelayError SETTINGS_INVALID
 */
export function checkMoves(
  moves: readonly GroupMove[],
  settings: TriggerSettings,
  adapters: TriggerAdapters,
): void {
  const adapter = adapters(settings.adapterId)
  if (moves.length > 0 && adapter?.movesGroups === false) {
    throw invalid(
      `the group of trigger "${settings.name}" cannot be moved: over the protocol of adapter "${adapter.name}" it begins and goes on where the servers say; leave the position out, or use another adapter`,
    )
  }
  for (const { to, topic } of moves) {
    if (to.at === 'offset' && topic === undefined && settings.topics.length !== 1) {
      throw invalid(
        `offset ${to.offset} is of no topic, and trigger "${settings.name}" listens to several: name one, as each has its own offsets`,
      )
    }
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
