import { RelayError } from '../../../core/errors.js'
import type { Log } from '../../../core/log.js'
import type { Health } from '../../health.js'
import type { StartPosition } from '../../operator.js'
import type { Dispatcher } from '../../queue-work.js'
import type { QueuePosition } from '../../subscription.js'
import { keyOf, type Place } from './assignment.js'
import type { CommitOutcome } from './coordinator.js'
import type { GroupMembership } from './group-membership.js'
import { HeldPartition, type HeldPartitionOptions } from './held-partition.js'
import { type LogOffsets, noAnswer } from './log-offsets.js'
import type { ReadTopics } from './read-topics.js'
import type { CheckedSource } from './source.js'

export interface HeldPartitionsOptions {
  source: CheckedSource
  group: GroupMembership
  topics: ReadTopics
  offsets: LogOffsets
  dispatcher: Dispatcher
  health: Health
  log: Log
  /** Of one of them. */
  roomBytes: number
  /** How long one rests for which it could not be told where it begins. */
  restMs: number
  workOf(place: Place): HeldPartitionOptions['work']
  onProgress(): void
  /** One of them has room again. */
  onRoom(): void
}

/**
 * The partitions that a member has now, and where it is in them. What commits or changes hands must come one after the
 * other; the caller sees to that.
 */
export class HeldPartitions {
  readonly #options: HeldPartitionsOptions
  readonly #held = new Map<string, HeldPartition>()
  readonly #paused = new Set<string>()
  #isHeldBack = false

  constructor(options: HeldPartitionsOptions) {
    this.#options = options
  }

  get all(): HeldPartition[] {
    return [...this.#held.values()]
  }

  pause(places: readonly Place[]): void {
    for (const place of places) this.#paused.add(keyOf(place))
    this.#applyPauses()
  }

  /** @param places undefined: all there are */
  resume(places: readonly Place[] | undefined): void {
    if (!places) this.#paused.clear()
    for (const place of places ?? []) this.#paused.delete(keyOf(place))
    this.#applyPauses()
  }

  /** Starts nothing for now; what is being handled goes on. */
  set isHeldBack(isHeldBack: boolean) {
    this.#isHeldBack = isHeldBack
    for (const partition of this.all) partition.isHeldBack = isHeldBack
    if (!isHeldBack) this.#options.onProgress()
  }

  async idle(): Promise<void> {
    await Promise.all(this.all.map((partition) => partition.idle()))
  }

  /**
   * Makes these the partitions of the member. One that it had goes on where it is, unless the group is elsewhere by now.
   * @throws RelayError
   */
  async become(share: readonly Place[]): Promise<void> {
    const { group, dispatcher, log } = this.#options
    const mine = new Map(share.map((place) => [keyOf(place), place]))
    for (const [key, partition] of this.#held) if (!mine.has(key)) this.#drop(partition)
    const committed = share.length > 0 ? await group.committed(share) : new Map<string, bigint>()
    for (const [key, place] of mine) {
      const offset = committed.get(key)
      const known = this.#held.get(key)
      if (known && isWhereItWas(known, offset)) {
        known.committed = offset
        continue
      }
      if (known) this.#drop(known)
      const partition = this.#open(place)
      partition.committed = offset
      if (offset !== undefined) partition.moveTo(offset)
      this.#held.set(key, partition)
      dispatcher.add(partition)
      log.debug('consuming a partition', { ...place, offset: offset === undefined ? null : String(offset) })
    }
    this.#applyPauses()
  }

  /**
   * Finds where to begin in those of which the group has no offset, or one that is not in the log. The place is
   * committed before anything is handed over: were this member to die with the first messages, the next one might
   * choose a later place and pass them by.
   * @returns why some have no place yet
   */
  async placeAll(): Promise<RelayError | undefined> {
    const { health, source, topics, restMs, log } = this.#options
    const now = performance.now()
    const due = this.all.filter(
      ({ position, isAstray, restsUntil }) => (position === undefined || isAstray) && restsUntil <= now,
    )
    if (due.length === 0) return undefined
    // What came after the member did is no past to be passed over.
    const isFromStart = (place: Place) => source.from.at === 'latest' && topics.isNew(place)
    const starts = await this.#starts(due, isFromStart)
    const found = due.flatMap((partition) => {
      const offset = starts.get(keyOf(partition))
      return typeof offset === 'bigint' ? [{ ...placeOf(partition), offset }] : []
    })
    const { committed, error } = await this.#commit(found)
    let failure: RelayError | undefined
    for (const partition of due) {
      const key = keyOf(partition)
      const offset = starts.get(key)
      if (typeof offset !== 'bigint' || !committed.has(key)) {
        const reason = offset instanceof RelayError ? offset : error
        partition.restsUntil = performance.now() + restMs
        if (reason) health.failed(reason, key)
        failure ??= reason
        continue
      }
      if (partition.isAstray) {
        log.warn('the offset of the group is not in the partition any more: going on elsewhere', {
          ...placeOf(partition),
          from: String(partition.end),
          to: String(offset),
        })
      }
      partition.skipTo(offset)
      health.recovered(key)
    }
    return failure
  }

  /** Commits what is done in all of them. @throws RelayError */
  async commit(): Promise<CommitOutcome> {
    return this.#commit(
      this.all.flatMap((partition) => {
        const { position: offset, committed, isAstray } = partition
        if (offset === undefined || offset === committed || isAstray) return []
        return [{ ...placeOf(partition), offset }]
      }),
    )
  }

  /** Goes on there, in those whose new place could be committed. @throws RelayError unless that is all of them */
  async seek(to: StartPosition, partitions: readonly HeldPartition[]): Promise<void> {
    const { offsets, source } = this.#options
    const found = await offsets.startsAt(to, partitions)
    const moves = partitions.map((partition) => {
      const offset = found.get(keyOf(partition))
      if (typeof offset !== 'bigint') throw offset ?? noAnswer(partition)
      return { ...placeOf(partition), offset }
    })
    const { committed, error } = await this.#commit(moves)
    for (const { offset, ...place } of moves) {
      if (committed.has(keyOf(place))) this.#held.get(keyOf(place))?.moveTo(offset)
    }
    if (committed.size < moves.length) throw error ?? sharingOut(source.group)
  }

  /** Of those of which it is known where they are; without what pauses all of them. @throws RelayError */
  async positions(): Promise<QueuePosition[]> {
    const placed = this.all.flatMap((partition) => {
      const { position, isPaused: paused } = partition
      return position === undefined ? [] : [{ ...placeOf(partition), position, paused }]
    })
    const ends = await this.#options.offsets.ends(placed)
    return placed.map(({ position, ...place }) => {
      const end = ends.get(keyOf(place))
      if (typeof end !== 'bigint') throw end ?? noAnswer(place)
      const lag = end > position ? end - position : 0n
      return { ...place, offset: String(position), end: String(end), lag: String(lag) }
    })
  }

  dropAll(): void {
    for (const partition of this.all) this.#drop(partition)
  }

  #starts(due: readonly HeldPartition[], isFromStart: (place: Place) => boolean) {
    const { offsets, source } = this.#options
    const young = due.filter(isFromStart)
    const old = due.filter((place) => !isFromStart(place))
    return Promise.all([
      offsets.startsAt(source.from, old),
      offsets.startsAt({ at: 'earliest' }, young),
    ]).then(([ofOld, ofYoung]) => new Map([...ofOld, ...ofYoung]))
  }

  async #commit(offsets: readonly (Place & { offset: bigint })[]): Promise<CommitOutcome> {
    if (offsets.length === 0) return { standing: 'member', committed: new Set(), error: undefined }
    const outcome = await this.#options.group.commit(offsets)
    for (const place of offsets) {
      const key = keyOf(place)
      const partition = this.#held.get(key)
      if (partition && outcome.committed.has(key)) partition.committed = place.offset
    }
    return outcome
  }

  #open(place: Place): HeldPartition {
    const { roomBytes, workOf, onProgress, onRoom } = this.#options
    const work = workOf(place)
    const partition = new HeldPartition({ ...place, roomBytes, onProgress, onRoom, work })
    partition.isHeldBack = this.#isHeldBack
    return partition
  }

  #drop(partition: HeldPartition): void {
    const { dispatcher, health, log } = this.#options
    this.#held.delete(keyOf(partition))
    dispatcher.remove(partition)
    partition.drop()
    health.recovered(keyOf(partition))
    log.debug('a partition is given up', placeOf(partition))
  }

  #applyPauses(): void {
    for (const partition of this.all) partition.isPaused = this.#paused.has(keyOf(partition))
    this.#options.onProgress()
  }
}

/** Nobody else has moved the group's offset beyond what is done here, or back. */
function isWhereItWas({ position, committed }: HeldPartition, now: bigint | undefined): boolean {
  if (position === undefined || committed === undefined || now === undefined) return false
  return now >= committed && now <= position
}

function sharingOut(group: string): RelayError {
  return new RelayError(
    'BROKER_UNAVAILABLE',
    `consumer group ${group} shares out its partitions just now: try again`,
  )
}

function placeOf({ topic, partition }: Place) {
  return { topic, partition }
}
