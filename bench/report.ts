import os from 'node:os'
import { median, type Table } from './benchmark.js'

interface Summary {
  median: number
  min: number
  max: number
}

/** What was measured, and how it is shown. */
export class Report {
  readonly #values = new Map<string, number[]>()

  add(name: string, value: number): void {
    const values = this.#values.get(name)
    if (values) values.push(value)
    else this.#values.set(name, [value])
  }

  /** Every figure by name, with its extremes beside it. */
  toJson(): Record<string, number> {
    const entries = [...this.#summaries()].flatMap(([name, summary]): [string, number][] => [
      [name, summary.median],
      [`${name}.min`, summary.min],
      [`${name}.max`, summary.max],
    ])
    return Object.fromEntries(entries)
  }

  /** For a terminal: a list of the figures that stand in no table, then the tables. */
  toText(tables: readonly Table[]): string {
    return this.#grids(tables)
      .map(({ title, rows }) => [title, ...aligned(rows)].join('\n'))
      .join('\n\n')
  }

  /** The same for a document, with date and machine. */
  toMarkdown(tables: readonly Table[], rounds: number): string {
    const blocks = this.#grids(tables).map(({ title, rows }) => {
      const [head = [], ...body] = rows.map((row) => `| ${row.join(' | ')} |`)
      const rule = `|---|${'---:|'.repeat((rows[0]?.length ?? 1) - 1)}`
      return [`### ${title}`, '', head, rule, ...body].join('\n')
    })
    return `${[measuredOn(rounds), ...blocks].join('\n\n')}\n`
  }

  #grids(tables: readonly Table[]): { title: string; rows: string[][] }[] {
    const summaries = new Map(this.#summaries())
    const shown = new Set<string>()
    const grids = tables.flatMap(({ title, rows, columns }) => {
      const body = rows
        .filter(({ part }) => columns.some(({ figure }) => summaries.has(`${part}.${figure}`)))
        .map(({ part, label }) => [
          label,
          ...columns.map(({ figure }) => {
            const name = `${part}.${figure}`
            shown.add(name)
            return cellOf(summaries.get(name))
          }),
        ])
      const head = ['', ...columns.map(({ heading }) => heading)]
      return body.length > 0 ? [{ title, rows: [head, ...body] }] : []
    })
    const rest = [...summaries].filter(([name]) => !shown.has(name))
    if (rest.length === 0) return grids
    const list = rest.map(([name, { median, min, max }]) => [
      name,
      unitOf(name),
      rounded(median),
      rounded(min),
      rounded(max),
    ])
    return [{ title: 'Figures', rows: [['', 'unit', 'median', 'min', 'max'], ...list] }, ...grids]
  }

  *#summaries(): Generator<[string, Summary]> {
    for (const [name, values] of this.#values) {
      yield [name, { median: median(values), min: Math.min(...values), max: Math.max(...values) }]
    }
  }
}

function cellOf(summary: Summary | undefined): string {
  if (!summary) return ''
  const { median, min, max } = summary
  return `${rounded(median)} (${rounded(min)}–${rounded(max)})`
}

/** The first column to the left, the others to the right. */
function aligned(rows: string[][]): string[] {
  const widths = rows[0]?.map((_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0))) ?? []
  return rows.map((row) =>
    row
      .map((cell, index) => (index === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[index] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}

const UNITS: [RegExp, string][] = [
  [/perSecond$/i, '/s'],
  [/micros/i, 'µs'],
  [/ratio/i, '×'],
  [/MiB$/, 'MiB'],
  [/cores$/i, 'cores'],
  [/Ms($|[A-Z])/, 'ms'],
]

function unitOf(figure: string): string {
  return UNITS.find(([ending]) => ending.test(figure))?.[1] ?? ''
}

/** Three digits that count, and no fewer for small figures than a comparison needs. */
function rounded(value: number): string {
  const size = Math.abs(value)
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3)
}

function measuredOn(rounds: number): string {
  const cpus = os.cpus()
  const memory = Math.round(os.totalmem() / 2 ** 30)
  const machine = `${cpus.length} cores (${cpus[0]?.model.trim() || os.arch()}), ${memory} GiB, ${os.type()} ${os.release()}`
  const date = new Date().toISOString().slice(0, 10)
  return `Measured on ${date}: ${machine}, Node.js ${process.version}; median of ${rounds} alternating rounds (min–max).`
}
