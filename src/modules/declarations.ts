import type { TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { adapterSettingsSchema } from '../adapters/resolve-adapter.js'
import { mapStrings } from '../adapters/resolve-env.js'
import { isSecretPath, SECRET, secretPathsOf } from '../adapters/stored-settings.js'
import { NOTIFIER_KINDS } from '../alerts/notifiers/kinds.js'
import type { DriverRegistry } from '../brokers/registry.js'
import {
  type Finding,
  type Path,
  type Place,
  readDocuments,
  type Source,
  type SourceDocument,
} from './documents.js'
import { ACTIONS, SECTION_KEYS, SECTIONS, type SectionKey } from './format.js'
import { type Fault, faultsOf, shown, unknownText } from './schema-findings.js'
import type { Fields } from './section.js'
import { isStatefun, readStatefun } from './statefun/statefun.js'

/** One thing as files want it. */
export interface Declaration {
  section: SectionKey
  name: string
  /** As its schema in SECTIONS says, unless it is refused. */
  item: Fields
  source: Source
  /** Such as `adapters[0]`. */
  label: string
  placeOf(path: Path): Place
  /** Something is wrong with it, and told of. */
  isRefused: boolean
}

export interface Declarations {
  all: Declaration[]
  /** Each keeps everything from being applied. */
  problems: Finding[]
  /** What has no counterpart here, or is meant otherwise than it may seem. */
  warnings: Finding[]
}

/** All that sources declare, and all that is wrong with it as far as it can be seen from them alone. */
export function readDeclarations(sources: readonly Source[], registry: DriverRegistry): Declarations {
  const read: Declarations = { all: [], problems: [], warnings: [] }
  const found = sources.map(readDocuments)
  read.problems.push(...found.flatMap(({ problems }) => problems))
  const documents = found.flatMap((each) => each.documents)
  for (const document of documents) if (!isStatefun(document.value)) readNative(document, read)
  readStatefun(
    documents.filter(({ value }) => isStatefun(value)),
    read,
  )
  for (const declaration of read.all) {
    const faults = faultsIn(declaration, registry)
    if (faults.length > 0) declaration.isRefused = true
    read.problems.push(...faults.map(({ path, message }) => ({ place: declaration.placeOf(path), message })))
    warnOfClearSecrets(declaration, registry, read.warnings)
  }
  refuseTwins(read)
  return read
}

function readNative(document: SourceDocument, read: Declarations): void {
  const { value, placeOf } = document
  const { problems } = read
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    problems.push({
      place: placeOf([]),
      message: `the document is ${shown(value)}: make it an object with some of ${SECTION_KEYS.join(', ')}`,
    })
    return
  }
  for (const [key, items] of Object.entries(value)) {
    const section = SECTION_KEYS.find((known) => known === key)
    if (section === undefined) {
      problems.push({ place: placeOf([key]), message: unknownText(key, SECTION_KEYS) })
    } else if (Array.isArray(items)) {
      for (const [index, item] of items.entries()) readItem(document, section, index, item, read)
    } else if (items !== null) {
      problems.push({ place: placeOf([key]), message: `${key} is ${shown(items)}: make it a list` })
    }
  }
}

function readItem(
  { source, placeOf }: SourceDocument,
  section: SectionKey,
  index: number,
  item: unknown,
  { all, problems }: Declarations,
): void {
  const label = `${section}[${index}]`
  if (item === null || typeof item !== 'object' || Array.isArray(item)) {
    const message = `${label} is ${shown(item)}: make it an object with a name`
    problems.push({ place: placeOf([section, index]), message })
    return
  }
  const fields: Fields = Object.fromEntries(Object.entries(item))
  all.push({
    section,
    name: String(fields.name ?? ''),
    item: fields,
    source,
    label,
    placeOf: (path) => placeOf([section, index, ...path]),
    isRefused: false,
  })
}

function faultsIn({ section, item, label }: Declaration, registry: DriverRegistry): Fault[] {
  return [
    ...faultsOf(SECTIONS[section], item, { name: label, hides: section === 'variables' }),
    ...faultsOfAction(section, item, label),
    ...faultsOfSettings(section, item, label, registry),
  ]
}

function faultsOfAction(section: SectionKey, { action }: Fields, label: string): Fault[] {
  if (section !== 'triggers' || action === null || typeof action !== 'object' || !('kind' in action))
    return []
  const schema = Object.entries(ACTIONS).find(([kind]) => kind === action.kind)?.[1]
  return schema ? under('action', faultsOf(schema, action, { name: `${label}.action` })) : []
}

/** What refers to a variable is judged when that is put in. */
function faultsOfSettings(
  section: SectionKey,
  item: Fields,
  label: string,
  registry: DriverRegistry,
): Fault[] {
  const schema = settingsSchemaOf(section, item, registry)
  const { settings } = item
  if (!schema || settings === null || typeof settings !== 'object') return []
  const complete = Value.Default(schema, Value.Convert(schema, Value.Clone(settings)))
  const faults = faultsOf(schema, complete, { name: `${label}.settings`, hidesTexts: true })
  const refersToVariable = ({ path }: Fault): boolean => {
    const value = valueAt(settings, path)
    return typeof value === 'string' && value.includes('@env(')
  }
  return under('settings', faults).filter(
    ({ path, message }) => !refersToVariable({ path: path.slice(1), message }),
  )
}

function settingsSchemaOf(
  section: SectionKey,
  { kind }: Fields,
  registry: DriverRegistry,
): TSchema | undefined {
  if (section === 'notifiers') return NOTIFIER_KINDS[String(kind)]?.settings
  const driver = section === 'adapters' ? registry.get(String(kind)) : undefined
  return driver && adapterSettingsSchema(driver)
}

function under(field: string, faults: Fault[]): Fault[] {
  return faults.map(({ path, message }) => ({ path: [field, ...path], message }))
}

function valueAt(value: unknown, [step, ...rest]: Path): unknown {
  if (step === undefined) return value
  if (value === null || typeof value !== 'object') return undefined
  return valueAt(Object.entries(value).find(([name]) => name === String(step))?.[1], rest)
}

function refuseTwins({ all, problems }: Declarations): void {
  const seen = new Map<string, Declaration>()
  for (const declaration of all) {
    const { section, name } = declaration
    const earlier = seen.get(`${section} ${name}`)
    if (earlier && name !== '') {
      declaration.isRefused = true
      problems.push({
        place: declaration.placeOf(['name']),
        message: `${declaration.label}.name ${shown(name)} is declared already at ${placeText(earlier.placeOf(['name']))}: leave one of them out, or choose another name`,
      })
    } else seen.set(`${section} ${name}`, declaration)
  }
}

/** Such as `relay.yaml:12:5`. */
export function placeText({ file, line, column }: Place): string {
  return `${file}:${line}:${column}`
}

/** Secrets that stand in a file in clear text are taken, and pointed out. */
function warnOfClearSecrets(
  { section, item, label, placeOf }: Declaration,
  registry: DriverRegistry,
  warnings: Finding[],
): void {
  if (section === 'variables' && item.secret === true && item.value !== undefined) {
    warnings.push({
      place: placeOf(['value']),
      message: `${label}.value is a secret in clear text: use valueFrom.env or valueFrom.file`,
    })
  }
  const schema = settingsSchemaOf(section, item, registry)
  if (!schema || item.settings === null || typeof item.settings !== 'object') return
  const secretPaths = secretPathsOf(schema)
  mapStrings(item.settings, (text, path) => {
    if (isSecretPath(path, secretPaths) && !text.includes('@env(') && text !== SECRET) {
      warnings.push({
        place: placeOf(['settings', ...path.split('.')]),
        message: `${label}.settings.${path} is a secret in clear text: put it into a secret variable and write @env(NAME)`,
      })
    }
    return text
  })
}
