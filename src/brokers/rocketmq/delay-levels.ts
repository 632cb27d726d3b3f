import { settingsInvalid } from '../settings.js'

/** What brokers are set up with unless someone changes it (messageDelayLevel). */
export const DEFAULT_DELAY_LEVELS = '1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h'

const UNIT_MS: ReadonlyMap<string | undefined, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
])

/**
 * Milliseconds of each level of a table such as `1s 5s 1m`, as RocketMQ's own configuration writes it.
 * @throws RelayError SETTINGS_INVALID
 */
export function parseDelayLevels(table: string): number[] {
  return table.split(' ').map((level) => {
    const [, amount, unit] = /^(\d+)([smhd])$/.exec(level) ?? []
    const unitMs = UNIT_MS.get(unit)
    if (amount !== undefined && unitMs !== undefined) return Number(amount) * unitMs
    throw settingsInvalid(
      `delayLevels holds "${level}": write each level as a number with s, m, h or d, one blank between them, such as "1s 5s 1m"`,
    )
  })
}
