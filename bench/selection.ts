/**
 * The parts that `--only` names: names or beginnings of names, by their dotted parts, with commas between them; `*`
 * stands for any one dotted part. `road.kafka` means everything below it, but not `road.kafka1k`. The name of a figure
 * stands for the part that measures it.
 * @returns undefined when one of the names means nothing
 */
export function selectedParts(only: string, parts: readonly string[]): Set<string> | undefined {
  const selected = new Set<string>()
  for (const name of only.split(',').map((text) => text.trim())) {
    const below = parts.filter((part) => name === '' || isBelow(part, name))
    const found = below.length > 0 ? below : measuring(name, parts)
    if (found.length === 0) return undefined
    for (const part of found) selected.add(part)
  }
  return selected
}

function isBelow(part: string, name: string): boolean {
  const segments = part.split('.')
  return name.split('.').every((wanted, index) => wanted === '*' || wanted === segments[index])
}

function measuring(figure: string, parts: readonly string[]): string[] {
  const [longest] = parts
    .filter((part) => figure.startsWith(part))
    .sort((one, other) => other.length - one.length)
  return longest === undefined ? [] : [longest]
}
