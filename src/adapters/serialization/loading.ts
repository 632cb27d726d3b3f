interface Entry<V> {
  /** Set once loaded; stays while it is loaded again. */
  value?: V
  failure?: { error: unknown }
  loading?: Promise<V>
  /** `performance.now()` at which the next `get` loads again. */
  until: number
}

export interface LoadingOptions {
  /** Age at which a value is loaded again, in the background. Default: never. */
  freshMs?: number
  /** How long a failure is the answer before it is tried again. */
  failureMs: number
}

/** Only a bound for memory. */
const MAX_ENTRIES = 10_000

/**
 * Values by key, each loaded once for all who ask at the same moment. What was loaded before stays in use while it
 * cannot be loaded again.
 */
export class Loading<K, V> {
  readonly #entries = new Map<K, Entry<V>>()
  readonly #load: (key: K) => Promise<V>
  readonly #options: LoadingOptions

  constructor(load: (key: K) => Promise<V>, options: LoadingOptions) {
    this.#load = load
    this.#options = options
  }

  /** The value itself when it is known, so that callers need not wait. @throws what `load` threw. */
  get(key: K): V | Promise<V> {
    const entry = this.#entries.get(key)
    if (entry === undefined) return this.#start(key, { until: 0 })
    const isDue = entry.loading === undefined && performance.now() >= entry.until
    if (entry.value !== undefined) {
      if (isDue) this.#start(key, entry).catch(() => undefined)
      return entry.value
    }
    if (entry.loading) return entry.loading
    if (entry.failure && !isDue) throw entry.failure.error
    return this.#start(key, entry)
  }

  #start(key: K, entry: Entry<V>): Promise<V> {
    if (this.#entries.size >= MAX_ENTRIES) this.#entries.clear()
    this.#entries.set(key, entry)
    const { freshMs = Number.POSITIVE_INFINITY, failureMs } = this.#options
    entry.loading = this.#load(key).then(
      (value) => {
        entry.value = value
        entry.until = performance.now() + freshMs
        delete entry.loading
        return value
      },
      (error: unknown) => {
        entry.failure = { error }
        entry.until = performance.now() + failureMs
        delete entry.loading
        throw error
      },
    )
    return entry.loading
  }
}
