import { createLogger, format, transports } from 'winston'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'
export type LogFields = Record<string, unknown>

/**
 * What the program needs of a logger. ERROR means somebody must act; what heals by itself is WARN.
 * Fields must not hold secrets or payloads.
 */
export interface Log {
  error(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  debug(message: string, fields?: LogFields): void
  child(fields: LogFields): Log
}

export interface LogOptions {
  level: LogLevel
  /** `json`: one object a line, for machines. `text`: for people. */
  format: 'json' | 'text'
}

const asText = format.printf(({ level, message, timestamp, ...fields }) => {
  const rest = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : ''
  return `${String(timestamp)} ${level.toUpperCase().padEnd(5)} ${String(message)}${rest}`
})

/** A logger that writes to standard error, so that standard output stays free for results. */
export function createLog(options: LogOptions): Log {
  return createLogger({
    level: options.level,
    format: format.combine(format.timestamp(), options.format === 'json' ? format.json() : asText),
    transports: [new transports.Console({ stderrLevels: ['error', 'warn', 'info', 'debug'] })],
  })
}

/** A logger that drops everything. */
export const silentLog: Log = {
  error() {},
  warn() {},
  info() {},
  debug() {},
  child: () => silentLog,
}
