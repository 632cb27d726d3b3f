import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseAllDocuments } from 'yaml'

/** YAML text, and what people call where it comes from. */
export interface Source {
  file: string
  text: string
  /** Folder that names of files in it are relative to. */
  folder: string
}

export interface Place {
  file: string
  /** From 1, like the column. */
  line: number
  column: number
}

export type Path = readonly (string | number)[]

/** Something that is wrong, or worth a warning, and where. */
export interface Finding {
  place: Place
  message: string
}

/** One of the documents of a source, and where everything in it stands. */
export interface SourceDocument {
  source: Source
  /** Whole numbers that a double cannot hold are bigints. */
  value: unknown
  /** Of the value at a path, or of what should hold it. */
  placeOf(path: Path): Place
}

/** All documents of a source but empty ones; those that are no YAML are told of instead. */
export function readDocuments(source: Source): { documents: SourceDocument[]; problems: Finding[] } {
  const lines = new LineCounter()
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { file: source.file, line, column: col }
  }
  const documents: SourceDocument[] = []
  const problems: Finding[] = []
  const parsed = parseAllDocuments(source.text, {
    lineCounter: lines,
    prettyErrors: false,
    intAsBigInt: true,
  })
  for (const document of parsed) {
    const wrong = [...document.errors, ...document.warnings]
    problems.push(...wrong.map(({ message, pos }) => ({ place: place(pos[0]), message: inWords(message) })))
    const root = document.contents
    if (wrong.length > 0 || !isNode(root) || (isScalar(root) && root.value === null)) continue

    const placeOf = (path: Path): Place => {
      let node: unknown = root
      let at = root.range?.[0] ?? 0
      for (const step of path) {
        const next = childOf(isAlias(node) ? node.resolve(document) : node, step)
        if (next === undefined) break
        at = next.label.range?.[0] ?? at
        node = next.value
      }
      return place(at)
    }
    try {
      documents.push({ source, value: withNumbers(document.toJS()), placeOf })
    } catch (error) {
      // Aliases that would grow beyond all bounds.
      problems.push({ place: placeOf([]), message: `cannot be read: ${String(error)}` })
    }
  }
  return { documents, problems }
}

/** What stands for a child in the text, and the child itself. */
function childOf(node: unknown, step: string | number): { label: Node; value: unknown } | undefined {
  if (isSeq(node)) {
    const item = node.items[Number(step)]
    return isNode(item) ? { label: item, value: item } : undefined
  }
  if (!isMap(node)) return undefined
  const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
  return pair && isNode(pair.key) ? { label: pair.key, value: pair.value } : undefined
}

function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }
  if (Array.isArray(value)) return value.map(withNumbers)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withNumbers(inner)]))
}

function inWords(message: string): string {
  return message === 'Map keys must be unique'
    ? 'the same name stands twice in one object: leave one of them out'
    : `not YAML: ${message}`
}
