import type { WriteStream } from 'node:tty'

/** One step of a local server on its way up. */
export interface Progress {
  server: string
  text: string
  /** 0 to 100, where the whole is known. */
  percent?: number
}

export type OnProgress = (progress: Progress) => void

const BAR_WIDTH = 20

/**
 * Shows progress to a person: a terminal gets one line that is drawn over while something counts up, anything else
 * a line for each new text and for every tenth of a count.
 */
export function progressPrinter(out: NodeJS.WritableStream | WriteStream): OnProgress {
  const isTerminal = 'isTTY' in out && out.isTTY
  const printed = new Map<string, string>()
  let openLine = false
  return ({ server, text, percent }) => {
    const line = `${server.padEnd(9)} ${text}${percent === undefined ? '' : ` ${isTerminal ? bar(percent) : tenths(percent)}`}`
    if (printed.get(server) === line) return
    printed.set(server, line)
    const stillCounting = isTerminal && percent !== undefined && percent < 100
    out.write(`${openLine ? '\r\x1b[K' : ''}${line}${stillCounting ? '' : '\n'}`)
    openLine = stillCounting
  }
}

function tenths(percent: number): string {
  return `${Math.floor(percent / 10) * 10} %`
}

function bar(percent: number): string {
  const filled = Math.round((percent / 100) * BAR_WIDTH)
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${Math.floor(percent).toString().padStart(3)} %`
}
