import { isReference } from '../adapters/stored-settings.js'
import type { Declaration } from './declarations.js'
import { differences, type FieldChange } from './differences.js'
import type { SectionKey } from './format.js'
import type { Existing, Section } from './section.js'

/** What becomes of one thing. */
export interface Change {
  section: SectionKey
  /** Such as `alert policy`. */
  thing: string
  name: string
  action: 'create' | 'update' | 'delete' | 'none'
  /** What is given of a new one, what differs in another. Secrets are not shown. */
  fields: ShownChange[]
}

export interface ShownChange extends FieldChange {
  isSecret: boolean
}

/**
 * Makes one thing as it is declared, and tells what that changed.
 * @throws RelayError what is wrong with the declaration; Dependent
 */
export async function makeAsDeclared(
  section: Section,
  declaration: Declaration,
  existing: Existing | undefined,
): Promise<Change> {
  const { key, thing } = section
  const { name, item } = declaration
  const { fields, create, update } = await section.prepare(declaration, existing)
  const isSecret = (path: string) => section.isSecret(fields, path)
  if (!existing) {
    await create()
    const { name: _, ...given } = item
    const shownFields = differences({}, given).flatMap((change) => shownChanges(change, isSecret))
    return { section: key, thing, name, action: 'create', fields: shownFields }
  }
  const { managed } = existing
  const changed = differences({ ...existing.fields, managed }, { ...fields, managed: true })
  if (changed.length === 0) return { section: key, thing, name, action: 'none', fields: [] }
  await update()
  const isSecretNowOrBefore = (path: string) => isSecret(path) || section.isSecret(existing.fields, path)
  return {
    ...{ section: key, thing, name, action: 'update' },
    fields: changed.flatMap((change) => shownChanges(change, isSecretNowOrBefore)),
  }
}

/** An object that comes or goes as a whole is shown by its parts, some of which may be secret. */
function shownChanges(change: FieldChange, isSecretPath: (path: string) => boolean): ShownChange[] {
  const { path, from, to } = change
  const inner = [from, to].find(
    (value) => value !== null && typeof value === 'object' && !Array.isArray(value),
  )
  if (inner !== undefined) {
    const parts = differences(from ?? {}, to ?? {}, path)
    if (parts.length > 0 && parts.every((part) => part.path !== path)) {
      return parts.flatMap((part) => shownChanges(part, isSecretPath))
    }
  }
  const isSecret = isSecretPath(path)
  const visible = (value: unknown) =>
    !isSecret || (typeof value === 'string' && isReference(value)) ? asJson(value) : undefined
  return [{ path, from: visible(from), to: visible(to), isSecret }]
}

/** Numbers that JSON cannot hold as text. */
function asJson(value: unknown): unknown {
  return typeof value === 'object'
    ? JSON.parse(
        JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)),
      )
    : value
}
