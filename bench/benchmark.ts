import type { StackAddresses } from '../src/stack/stack.js'

/** A group of measurements that share servers and rounds. */
export interface Benchmark {
  /** Dotted names of what can be run by itself; the names of its figures start with it. */
  parts: readonly string[]
  /** How figures that many parts have in common are shown; the others are listed. */
  tables?: readonly Table[]
  run(parts: readonly string[], bench: Bench): Promise<void>
}

/** Figures side by side: `<part>.<figure>` stands in the row of the part and the column of the figure. */
export interface Table {
  title: string
  rows: readonly { part: string; label: string }[]
  columns: readonly { figure: string; heading: string }[]
}

/** What a benchmark is given. */
export interface Bench {
  servers: Required<StackAddresses>
  /** A migrated database of this run alone. */
  databaseUrl: string
  /** Alternating rounds that count, after one that warms up. */
  rounds: number
  progress(text: string): void
  /** Adds one round's value to a figure; what is reported is the median of the rounds. */
  figure(name: string, value: number): void
}

/** The value that a share (0–1) of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil(share * sorted.length)))
  return sorted[rank - 1] ?? Number.NaN
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const upper = sorted[sorted.length >> 1] ?? Number.NaN
  const lower = sorted[(sorted.length - 1) >> 1] ?? Number.NaN
  return (lower + upper) / 2
}
