import { createAdapterStore } from '../adapters/store.js'
import type { AdminContext } from '../admin/adapter-admin.js'
import { audited } from '../admin/audited.js'
import { RelayError } from '../core/errors.js'
import { pause } from '../core/time-limit.js'
import { atomically, type Database } from '../db/database.js'
import { type Change, makeAsDeclared } from './change.js'
import { type Declaration, type Declarations, placeText } from './declarations.js'
import type { Finding } from './documents.js'
import type { SectionKey } from './format.js'
import { Dependent, type Section, type SectionContext } from './section.js'
import { adaptersSection } from './sections/adapters.js'
import { notifiersSection } from './sections/notifiers.js'
import { policiesSection } from './sections/policies.js'
import { triggersSection } from './sections/triggers.js'
import { variablesSection } from './sections/variables.js'

export interface ApplyOptions {
  /** Delete what an earlier apply made and nothing declares any more. */
  prune: boolean
  /** Find out everything and change nothing. */
  dryRun: boolean
  /** Where `valueFrom.env` looks. */
  environment: NodeJS.ProcessEnv
}

export interface Applied {
  changes: Change[]
  /** What is allowed of what was made or changed, and yet may not be meant. */
  warnings: Finding[]
}

/** In the order in which they are applied. */
const SECTIONS_OF = [variablesSection, adaptersSection, notifiersSection, policiesSection, triggersSection]

const APPLY_LOCK = 4_771_902_006
const LOCK_WAIT_MS = 30_000
const LOCK_RETRY_MS = 100

/** Every part of a file on a database. */
export function sectionsOf(context: SectionContext): Section[] {
  return SECTIONS_OF.map((sectionOf) => sectionOf(context))
}

/**
 * Makes everything as it is declared, in one transaction: all of it or nothing. It is done once for trial first, so that
 * all that is wrong is told at once.
 * @throws RelayError MODULE_INVALID naming every problem and its place; APPLY_UNDER_WAY
 */
export async function applyDeclarations(
  context: AdminContext,
  declarations: Declarations,
  options: ApplyOptions,
): Promise<Applied> {
  const tried = await rehearse(context, declarations, options)
  const counts = { create: 0, update: 0, delete: 0, none: 0 }
  for (const { action } of tried.changes) counts[action] += 1
  const { none: unchanged, ...changed } = counts
  if (options.dryRun || tried.changes.length === unchanged) return tried
  const nobody = { actor: context.actor, adapterId: null, adapterName: null, adapterKind: null }
  const files = [...new Set(declarations.all.map(({ source }) => source.file))]
  const deed = {
    operation: 'modules.apply',
    destination: null,
    request: { files, ...changed, unchanged },
  } as const
  return await audited(context.database, nobody, deed, () =>
    atomically(context.database, async (within) => {
      const { problems, ...applied } = await perform({ ...context, database: within }, declarations, options)
      refuse(problems)
      return applied
    }),
  )
}

/** Thrown to take everything back. */
class Rehearsed extends Error {
  constructor(readonly done: Performed) {
    super('rehearsed')
  }
}

async function rehearse(
  context: AdminContext,
  declarations: Declarations,
  options: ApplyOptions,
): Promise<Applied> {
  const rehearsal = atomically(context.database, async (within): Promise<Performed> => {
    throw new Rehearsed(await perform({ ...context, database: within }, declarations, options))
  })
  const { problems, ...applied } = await rehearsal.catch((thrown: unknown) => {
    if (thrown instanceof Rehearsed) return thrown.done
    throw thrown
  })
  refuse([...declarations.problems, ...problems])
  return applied
}

interface Performed extends Applied {
  problems: Finding[]
}

async function perform(
  { store: _, ...context }: AdminContext,
  { all }: Declarations,
  { prune, environment }: ApplyOptions,
): Promise<Performed> {
  const { database, registry, secrets } = context
  await takeTurn(database)
  const refused = new Set(all.filter(({ isRefused }) => isRefused).map(idOf))
  const sections = sectionsOf({
    admin: { ...context, store: createAdapterStore(database, registry, secrets) },
    environment,
    isRefused: (section, name) => refused.has(idOf({ section, name })),
  })
  const changes: Change[] = []
  const problems: Finding[] = []
  for (const section of sections) {
    const existing = new Map((await section.existing()).map((each) => [each.name, each]))
    for (const declaration of all) {
      if (declaration.section !== section.key || declaration.isRefused) continue
      try {
        changes.push(await makeAsDeclared(section, declaration, existing.get(declaration.name)))
      } catch (thrown) {
        refused.add(idOf(declaration))
        if (thrown instanceof Dependent) continue
        if (!(thrown instanceof RelayError) || thrown.retryable) throw thrown
        problems.push(findingOf(thrown, section, declaration))
      }
    }
  }
  if (prune && problems.length === 0) {
    const declared = new Set(all.map(idOf))
    for (const section of sections.toReversed()) {
      for (const { name, managed } of await section.existing()) {
        if (!managed || declared.has(idOf({ section: section.key, name }))) continue
        const { key, thing } = section
        await removing(section, name)
        changes.push({ section: key, thing, name, action: 'delete', fields: [] })
      }
    }
  }
  return { changes, problems, warnings: await warningsOf(sections, changes, all) }
}

async function warningsOf(
  sections: readonly Section[],
  changes: readonly Change[],
  all: readonly Declaration[],
): Promise<Finding[]> {
  const warnings: Finding[] = []
  for (const { section: key, thing, name, action } of changes) {
    if (action !== 'create' && action !== 'update') continue
    const declaration = all.find((each) => each.section === key && each.name === name)
    const remarks = await sections.find((section) => section.key === key)?.remarks?.(name)
    if (!declaration || !remarks) continue
    const place = declaration.placeOf([])
    warnings.push(...remarks.map((remark) => ({ place, message: `${thing} "${name}": ${remark}` })))
  }
  return warnings
}

/** One apply at a time; whoever comes second sees what the first did. */
async function takeTurn(database: Database): Promise<void> {
  const until = performance.now() + LOCK_WAIT_MS
  for (;;) {
    const [row] = await database.query<{ taken: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS taken', [
      APPLY_LOCK,
    ])
    if (row?.taken) return
    if (performance.now() > until) {
      throw new RelayError(
        'APPLY_UNDER_WAY',
        `another apply has been under way on this database for ${LOCK_WAIT_MS / 1000} s: try again once it is done`,
      )
    }
    await pause(LOCK_RETRY_MS)
  }
}

async function removing(section: Section, name: string): Promise<void> {
  try {
    await section.remove(name)
  } catch (cause) {
    if (!(cause instanceof RelayError)) throw cause
    throw new RelayError(
      cause.code,
      `${section.thing} "${name}" is declared no more and cannot be deleted: ${cause.message}`,
      { cause },
    )
  }
}

/** At the field that the error begins with, where it names one. */
function findingOf(
  { message }: RelayError,
  { thing }: Section,
  { name, item, placeOf }: Declaration,
): Finding {
  const [, first = ''] = /^(?:setting )?([A-Za-z][\w.-]*)/.exec(message) ?? []
  const steps = first.split('.')
  const path = Object.hasOwn(item, steps[0] ?? '') ? steps : ['settings', ...steps]
  return { place: placeOf(path), message: `${thing} "${name}": ${message}` }
}

function refuse(problems: readonly Finding[]): void {
  if (problems.length === 0) return
  const lines = problems.toSorted(byPlace).map(({ place, message }) => `  ${placeText(place)}: ${message}`)
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
  throw new RelayError('MODULE_INVALID', `${count}, so nothing was changed:\n${lines.join('\n')}`)
}

function byPlace({ place: a }: Finding, { place: b }: Finding): number {
  return a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column
}

function idOf({ section, name }: { section: SectionKey; name: string }): string {
  return `${section} ${name}`
}
