import { Type } from 'typebox'
import { Compile } from 'typebox/compile'
import { RelayError, toRelayError } from '../../../core/errors.js'
import { offsetOutside, type StartPosition } from '../../operator.js'
import { judge } from '../errors.js'
import { errorOfCode } from '../link.js'
import type { Nodes } from '../nodes.js'
import type { KafkaSettings } from '../settings.js'
import { keyOf, type Place } from './assignment.js'

const LIST_OFFSETS = {
  name: 'ListOffsets',
  answer: Compile(
    Type.Object({
      responses: Type.Array(
        Type.Object({
          topic: Type.String(),
          partitions: Type.Array(
            Type.Object({
              partition: Type.Integer(),
              errorCode: Type.Integer(),
              /** -1: no message is as young. */
              offset: Type.String(),
            }),
          ),
        }),
      ),
    }),
  ),
} as const

/** What the protocol says for times that are none. */
const LATEST = -1
const EARLIEST = -2
const ISOLATION = { 'read-uncommitted': 0, 'read-committed': 1 } as const
type Isolation = keyof typeof ISOLATION

/** By `keyOf`: an offset, or why it cannot be told. */
type Found = Map<string, bigint | RelayError>

export interface LogOffsetsOptions {
  nodes: Nodes
  settings: KafkaSettings
  /** Node id; undefined: there is none just now. */
  leaderOf(place: Place): number | undefined
}

/** Where the logs of partitions begin and end, and what is in between, as their leaders tell. */
export class LogOffsets {
  readonly #options: LogOffsetsOptions

  constructor(options: LogOffsetsOptions) {
    this.#options = options
  }

  /**
   * Where to begin. An offset that is given must be there.
   * @returns for each partition the offset, or why it cannot be told; never rejects
   */
  async startsAt(position: StartPosition, places: readonly Place[]): Promise<Found> {
    const isolation = this.#options.settings.consumer.isolationLevel
    switch (position.at) {
      case 'earliest':
        return this.#find(places, EARLIEST, isolation)
      case 'latest':
        return this.#find(places, LATEST, isolation)
      case 'time':
        return this.#fromTime(position.time, places, isolation)
      case 'offset':
        return this.#within(BigInt(position.offset), places)
      default:
        return position satisfies never
    }
  }

  /** Of the next message to be written. */
  ends(places: readonly Place[]): Promise<Found> {
    return this.#find(places, LATEST, 'read-uncommitted')
  }

  async #fromTime(time: number, places: readonly Place[], isolation: Isolation): Promise<Found> {
    const found = await this.#find(places, time, isolation)
    const tooOld = places.filter((place) => found.get(keyOf(place)) === -1n)
    if (tooOld.length === 0) return found
    return new Map([...found, ...(await this.#find(tooOld, LATEST, isolation))])
  }

  async #within(offset: bigint, places: readonly Place[]): Promise<Found> {
    const [starts, ends] = await Promise.all([
      this.#find(places, EARLIEST, 'read-uncommitted'),
      this.ends(places),
    ])
    return new Map(
      places.map((place) => {
        const start = starts.get(keyOf(place)) ?? noAnswer(place)
        const end = ends.get(keyOf(place)) ?? noAnswer(place)
        if (start instanceof RelayError) return [keyOf(place), start]
        if (end instanceof RelayError) return [keyOf(place), end]
        const isThere = offset >= start && offset <= end
        return [keyOf(place), isThere ? offset : offsetOutside(offset, nameOf(place), start, end)]
      }),
    )
  }

  async #find(places: readonly Place[], timestamp: number, isolation: Isolation): Promise<Found> {
    const found: Found = new Map()
    const byLeader = new Map<number, Place[]>()
    for (const place of places) {
      const leader = this.#options.leaderOf(place)
      if (leader === undefined) found.set(keyOf(place), leaderless(place))
      else byLeader.set(leader, [...(byLeader.get(leader) ?? []), place])
    }
    await Promise.all(
      [...byLeader].map(async ([leader, ofLeader]) => {
        try {
          for (const [key, offset] of await this.#ask(leader, ofLeader, timestamp, isolation)) {
            found.set(key, offset)
          }
        } catch (error) {
          for (const place of ofLeader) found.set(keyOf(place), toRelayError(error))
        }
      }),
    )
    return found
  }

  async #ask(leader: number, places: Place[], timestamp: number, isolation: Isolation): Promise<Found> {
    const { nodes, settings } = this.#options
    const doing = 'looking up offsets'
    const link = await nodes.node(leader)
    const fields = {
      isolationLevel: ISOLATION[isolation],
      topics: byTopic(places, ({ partition }) => ({ partition, timestamp })),
    }
    const { responses } = await link.ask(LIST_OFFSETS, fields, doing)
    const found: Found = new Map(places.map((place) => [keyOf(place), noAnswer(place)]))
    for (const { topic, partitions } of responses) {
      for (const { partition, errorCode, offset } of partitions) {
        const what = `${doing} of ${nameOf({ topic, partition })}`
        found.set(
          keyOf({ topic, partition }),
          errorCode === 0 ? BigInt(offset) : judge(errorOfCode(errorCode), what, settings).error,
        )
      }
    }
    return found
  }
}

/** The form in which all requests of the protocol name partitions. */
export function byTopic<P extends Place, T>(
  places: readonly P[],
  entry: (place: P) => T,
): { topic: string; partitions: T[] }[] {
  const topics = new Map<string, T[]>()
  for (const place of places) topics.set(place.topic, [...(topics.get(place.topic) ?? []), entry(place)])
  return [...topics].map(([topic, partitions]) => ({ topic, partitions }))
}

export function leaderless(place: Place): RelayError {
  return new RelayError('BROKER_UNAVAILABLE', `${nameOf(place)} has no leader just now`)
}

export function noAnswer(place: Place): RelayError {
  return new RelayError('BROKER_UNAVAILABLE', `Kafka's answer leaves out ${nameOf(place)}`)
}

function nameOf({ topic, partition }: Place): string {
  return `partition ${partition} of topic ${topic}`
}
