export interface Column {
  title: string
  align?: 'right'
}

const GAP = '  '
// Characters that terminals draw two cells wide: CJK, kana, hangul, full-width forms.
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/gu
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g

/** Rows as text under their titles, each column as wide as its widest cell. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => title)
  const cells = [titles, ...rows].map((row) => row.map((cell) => cell.replace(CONTROL, ' ')))
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => width(row[index] ?? ''))))
  const lines = cells.map((row) =>
    columns
      .map(({ align }, index) => {
        const cell = row[index] ?? ''
        const blanks = ' '.repeat((widths[index] ?? 0) - width(cell))
        return align === 'right' ? blanks + cell : cell + blanks
      })
      .join(GAP)
      .trimEnd(),
  )
  return lines.join('\n')
}

function width(text: string): number {
  return text.length + (text.match(WIDE)?.length ?? 0)
}
