import { isDeepStrictEqual } from 'node:util'

/** One field that differs. Undefined: not there. */
export interface FieldChange {
  /** Such as `settings.acks`. */
  path: string
  from: unknown
  to: unknown
}

/** What has to change in `from` so that it becomes `to`, each object field by field. */
export function differences(from: unknown, to: unknown, path = ''): FieldChange[] {
  if (isDeepStrictEqual(from, to)) return []
  if (!isGroup(from) || !isGroup(to)) return [{ path, from, to }]
  const before = new Map(Object.entries(from))
  const after = new Map(Object.entries(to))
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name) =>
    differences(before.get(name), after.get(name), path === '' ? name : `${path}.${name}`),
  )
}

function isGroup(value: unknown): value is object {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}
