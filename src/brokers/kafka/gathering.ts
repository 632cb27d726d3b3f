import type { Pending } from './pending.js'
import type { KafkaSettings } from './settings.js'

/** Most messages of one partition in a send, unless the settings say otherwise. */
const BATCH_MESSAGES = 500
/** Most bytes in one send of several messages, likewise: well below the default limit of a topic, 1,048,588. */
const BATCH_BYTES = 512 * 1024

/** The messages of one partition that wait to be sent, and the rule of when and how many go together. */
export class Gathering {
  readonly #flush: KafkaSettings['flush']
  readonly #batchMessages: number
  #batchBytes: number
  #waiting: Pending[] = []
  #bytes = 0
  #end: (() => void) | undefined

  constructor(flush: KafkaSettings['flush']) {
    this.#flush = flush
    this.#batchMessages = flush.maxMessages || BATCH_MESSAGES
    this.#batchBytes = Math.max(BATCH_BYTES, flush.bytes)
  }

  push(pending: Pending): void {
    this.#waiting.push(pending)
    this.#bytes += pending.bytes
    if (this.#end && this.#isFull()) this.#end()
  }

  /** Resolves when a send is due: the oldest message has waited the flush interval, or enough others wait with it. */
  async due(): Promise<void> {
    const leftMs = (this.#waiting[0]?.flushAt ?? 0) - performance.now()
    if (leftMs <= 0 || this.#isFull()) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, leftMs)
      this.#end = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#end = undefined
  }

  /** Makes what waits due now. */
  flush(): void {
    this.#end?.()
  }

  get count(): number {
    return this.#waiting.length
  }

  /** Takes the messages of the next send, oldest first. */
  take(mostMessages: number): Pending[] {
    const most = Math.min(this.#batchMessages, mostMessages)
    let bytes = 0
    let count = 0
    for (const pending of this.#waiting) {
      bytes += pending.bytes
      if (count > 0 && (bytes > this.#batchBytes || count === most)) break
      count++
    }
    const taken = this.#waiting.splice(0, count)
    for (const pending of taken) this.#bytes -= pending.bytes
    return taken
  }

  /** Takes all that came at this time or before, on the clock of `performance.now()`. */
  takeOlder(time: number): Pending[] {
    const older = this.#waiting.findIndex(({ since }) => since > time)
    const taken = this.#waiting.splice(0, older < 0 ? this.#waiting.length : older)
    for (const pending of taken) this.#bytes -= pending.bytes
    return taken
  }

  /** Keeps later sends below what turned out too large together. */
  keepBelow(bytes: number): void {
    this.#batchBytes = Math.min(this.#batchBytes, bytes)
  }

  #isFull(): boolean {
    const { messages, bytes } = this.#flush
    return (
      this.#waiting.length >= (messages || this.#batchMessages) || this.#bytes >= (bytes || this.#batchBytes)
    )
  }
}
