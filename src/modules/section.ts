import type { Adapter } from '../adapters/adapter.js'
import type { AdminContext } from '../admin/adapter-admin.js'
import { RelayError } from '../core/errors.js'
import type { Declaration } from './declarations.js'
import type { SectionKey } from './format.js'

/** Fields by their names in a file; secrets are sealed. */
export type Fields = Readonly<Record<string, unknown>>

/** Something that is there already. */
export interface Existing {
  name: string
  managed: boolean
  /** All of them. */
  fields: Fields
}

/** What a declaration asks for, held against what is there. */
export interface Prepared {
  /** All of them, as they are to be. */
  fields: Fields
  create(): Promise<unknown>
  update(): Promise<unknown>
}

/** One part of a file: how its things are read, compared and changed. Changes are audited. */
export interface Section {
  readonly key: SectionKey
  /** What people call one of them. */
  readonly thing: string
  /** By name. */
  existing(): Promise<Existing[]>
  /** @throws RelayError what is wrong with the declaration; Dependent */
  prepare(declaration: Declaration, existing: Existing | undefined): Promise<Prepared>
  remove(name: string): Promise<unknown>
  /** What may not be meant of one that was just made or changed, a sentence each. */
  remarks?(name: string): Promise<string[]>
  /** Whether the value at a path such as `settings.sasl.password` must not be shown. */
  isSecret(fields: Fields, path: string): boolean
}

/** What sections work with. */
export interface SectionContext {
  admin: AdminContext
  /** Where values come from that files take from the environment. */
  environment: NodeJS.ProcessEnv
  /** Whether this thing was declared, and its declaration refused. */
  isRefused(section: SectionKey, name: string): boolean
}

/** Thrown for what cannot be judged because what it refers to was refused; that is told of already. */
export class Dependent extends Error {}

/** Adapters as files refer to them, by name, and as they are kept, by id. */
export interface AdapterNames {
  /** @throws RelayError NOT_FOUND; Dependent */
  idOf(name: string): string
  nameOf(id: string): string
}

export async function adapterNames({ admin, isRefused }: SectionContext): Promise<AdapterNames> {
  const adapters = await admin.store.adapters()
  const found = (by: (adapter: Adapter) => boolean) => adapters.find(by)
  return {
    idOf(name) {
      if (isRefused('adapters', name)) throw new Dependent()
      const adapter = found((each) => each.name === name)
      if (adapter) return adapter.id
      throw new RelayError(
        'NOT_FOUND',
        `adapter "${name}" is neither declared nor there already: declare it or correct its name`,
      )
    },
    nameOf: (id) => found((each) => each.id === id)?.name ?? id,
  }
}
