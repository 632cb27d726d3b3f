import { toRelayError } from '../../../core/errors.js'
import { pause } from '../../../core/time-limit.js'
import { Bell } from '../../bell.js'
import type { Health } from '../../health.js'
import { judge } from '../errors.js'
import { errorOfCode } from '../link.js'
import type { Nodes } from '../nodes.js'
import type { KafkaSettings } from '../settings.js'
import { keyOf, type Place } from './assignment.js'
import { type FetchedPartition, readFetchAnswer } from './fetch-answer.js'
import type { HeldPartition } from './held-partition.js'
import { byTopic } from './log-offsets.js'
import { readRecords } from './records.js'

/** Messages waiting in memory, all partitions together. */
const MEMORY_BYTES = 64 * 1024 * 1024
const OFFSET_OUT_OF_RANGE = 1
/** How often one who has nothing to fetch looks for itself. */
const LOOK_MS = 1000
/** Longest wait of a broker while another partition may have room again at any moment. */
const SHORT_WAIT_MS = 20
/** The first pause after a failure: a partition that has just moved is soon found. */
const SHORT_PAUSE_MS = 100
const ISOLATION = { 'read-uncommitted': 0, 'read-committed': 1 } as const

export interface FetcherOptions {
  settings: KafkaSettings
  nodes: Nodes
  /** All that the member has now. */
  held(): HeldPartition[]
  leaderOf(place: Place): number | undefined
  /** Messages came, or may be started. */
  onProgress(): void
  health: Health
  /** A partition may have moved, or is not where it was thought to be. */
  onLost(): void
  signal: AbortSignal
}

interface Asked {
  partition: HeldPartition
  offset: bigint
}

/** Fetches ahead of the handlers, as far as room allows: from each broker one answer at a time. */
export class Fetcher {
  readonly #options: FetcherOptions
  /** By node id. */
  readonly #bells = new Map<number, Bell>()
  readonly #loops: Promise<void>[] = []
  #turn = 0

  constructor(options: FetcherOptions) {
    this.#options = options
  }

  /** To be called when there is more to fetch, or room again. */
  wake(): void {
    const { held, leaderOf, signal } = this.#options
    for (const partition of held()) {
      const node = leaderOf(partition)
      if (node === undefined || this.#bells.has(node) || signal.aborted) continue
      const bell = new Bell()
      this.#bells.set(node, bell)
      this.#loops.push(this.#fetchFrom(node, bell))
    }
    for (const bell of this.#bells.values()) bell.ring()
  }

  /** Resolves once nothing is fetched any more; the signal must be aborted. */
  async stopped(): Promise<void> {
    for (const bell of this.#bells.values()) bell.ring()
    await Promise.all(this.#loops)
  }

  async #fetchFrom(node: number, bell: Bell): Promise<void> {
    const { nodes, settings, signal, health, onLost } = this.#options
    const about = `broker ${node}`
    let failures = 0
    while (!signal.aborted) {
      const { asked, isAnyFull, room } = this.#wanted(node)
      if (asked.length === 0) {
        health.recovered(about)
        await bell.wait(LOOK_MS)
        continue
      }
      try {
        const link = await nodes.node(node)
        const answer = await link.fetch(this.#request(asked, isAnyFull, room), 'fetching messages')
        if (signal.aborted) return
        const { errorCode, partitions } = readFetchAnswer(answer)
        if (errorCode !== 0) throw judge(errorOfCode(errorCode), 'fetching messages', settings).error
        failures = 0
        health.answered()
        health.recovered(about)
        const places = new Map(asked.map((each) => [keyOf(each.partition), each]))
        for (const found of partitions) await this.#take(found, places.get(keyOf(found)))
      } catch (thrown) {
        if (signal.aborted) return
        health.failed(toRelayError(thrown), about)
        onLost()
        await pause(this.#pauseMs(failures++), signal)
      }
    }
  }

  #wanted(node: number) {
    const { held, leaderOf } = this.#options
    const now = performance.now()
    const all = held()
    const room = MEMORY_BYTES - all.reduce((sum, { bytes }) => sum + bytes, 0)
    const asked: Asked[] = []
    let isAnyFull = false
    for (const partition of all) {
      const { end: offset, restsUntil, hasRoom, isPaused } = partition
      if (offset === undefined || restsUntil > now || leaderOf(partition) !== node) continue
      partition.awaitsRoom = !hasRoom || (room <= 0 && partition.bytes > 0)
      if (!partition.awaitsRoom) asked.push({ partition, offset })
      else if (!isPaused) isAnyFull = true
    }
    // Answers are filled in the order of the question.
    const first = asked.length === 0 ? 0 : this.#turn++ % asked.length
    return { asked: [...asked.slice(first), ...asked.slice(0, first)], isAnyFull, room }
  }

  #request(asked: readonly Asked[], isAnyFull: boolean, room: number) {
    const { isolationLevel, fetchMinBytes, fetchMaxBytes, fetchWaitMs, partitionFetchBytes } =
      this.#options.settings.consumer
    const maxBytes = fetchMaxBytes === 0 ? MEMORY_BYTES : fetchMaxBytes
    return {
      maxWaitTime: isAnyFull ? Math.min(fetchWaitMs, SHORT_WAIT_MS) : fetchWaitMs,
      minBytes: fetchMinBytes,
      maxBytes: Math.max(Math.min(maxBytes, room), 1),
      isolationLevel: ISOLATION[isolationLevel],
      topics: byTopic(
        asked.map(({ partition: { topic, partition }, offset }) => ({ topic, partition, offset })),
        ({ partition, offset }) => ({
          partition,
          fetchOffset: String(offset),
          maxBytes: partitionFetchBytes,
        }),
      ),
      rackId: '',
    }
  }

  async #take(found: FetchedPartition, asked: Asked | undefined): Promise<void> {
    const { settings, health, onProgress, onLost } = this.#options
    if (!asked) return
    const { partition, offset } = asked
    const about = keyOf(partition)
    if (found.errorCode === OFFSET_OUT_OF_RANGE) {
      partition.isAstray = partition.end === offset
      onLost()
      return
    }
    try {
      if (found.errorCode !== 0) {
        const doing = `fetching from partition ${found.partition} of topic ${found.topic}`
        throw judge(errorOfCode(found.errorCode), doing, settings).error
      }
      const { messages, end } = await readRecords(found.records, offset, found.aborted)
      partition.failures = 0
      health.recovered(about)
      partition.take(offset, messages, end)
      if (messages.length > 0) onProgress()
    } catch (thrown) {
      partition.restsUntil = performance.now() + this.#pauseMs(partition.failures++)
      health.failed(toRelayError(thrown), about)
      onLost()
    }
  }

  #pauseMs(failures: number): number {
    const { retryBackoffMs } = this.#options.settings.consumer
    return failures === 0 ? Math.min(SHORT_PAUSE_MS, retryBackoffMs) : retryBackoffMs
  }
}
