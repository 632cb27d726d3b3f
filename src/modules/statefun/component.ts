import type { Static, TObject } from 'typebox'
import { Value } from 'typebox/value'
import type { Declaration, Declarations } from '../declarations.js'
import type { Path, SourceDocument } from '../documents.js'
import type { SectionKey } from '../format.js'
import { faultsOf, pathText } from '../schema-findings.js'
import type { Fields } from '../section.js'

/** One ingress or egress of a StateFun document. */
export interface Component {
  /** Such as `example/user-ingress`. */
  id: string
  spec: unknown
  /** Of the spec. */
  path: Path
  document: SourceDocument
}

/** A component whose spec is as its schema says, and ways to tell of it. */
export interface ReadComponent<Spec> {
  id: string
  spec: Spec
  /** @param path within the spec */
  warn(path: Path, message: string): void
  refuse(path: Path, message: string): void
  declare(section: SectionKey, item: Fields & { name: string }): void
}

/** @returns undefined where the spec is wrong, which is told then; fields that have no meaning here get a warning. */
export function readComponent<Schema extends TObject>(
  { id, spec, path, document }: Component,
  schema: Schema,
  { all, problems, warnings }: Declarations,
): ReadComponent<Static<Schema>> | undefined {
  const name = pathText(path).slice(1)
  const placeOf = (inner: Path) => document.placeOf([...path, ...inner])
  const warn = (inner: Path, message: string) => warnings.push({ place: placeOf(inner), message })
  const refuse = (inner: Path, message: string) => problems.push({ place: placeOf(inner), message })
  const faults = faultsOf(schema, spec ?? {}, { name })
  for (const { path: inner, message } of faults) refuse(inner, message)
  if (!Value.Check(schema, spec)) return undefined

  for (const field of Object.keys(membersOf(spec))) {
    if (field !== 'id' && !Object.hasOwn(schema.properties, field)) {
      warn([field], `${name}.${field} has no counterpart here and is passed over`)
    }
  }
  return {
    id,
    spec,
    warn,
    refuse,
    declare(section, item) {
      const declaration: Declaration = {
        section,
        name: item.name,
        item,
        source: document.source,
        label: name,
        // Where it comes from, whatever of it is wrong.
        placeOf: () => placeOf([]),
        isRefused: false,
      }
      all.push(declaration)
    },
  }
}

/** Name of what an id such as `example/user-ingress` becomes here, where names have no slash. */
export function nameOf(id: string): string {
  return id.replaceAll(/[^\p{L}\p{N}._-]+/gu, '.').replace(/^[^\p{L}\p{N}]+/u, '')
}

export function membersOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {}
}
