import { isDeepStrictEqual } from 'node:util'
import { Document, isScalar, visit } from 'yaml'
import { ADAPTER_DEFAULTS } from '../adapters/store.js'
import { isReference, SECRET } from '../adapters/stored-settings.js'
import type { AdminContext } from '../admin/adapter-admin.js'
import { POLICY_DEFAULTS } from '../alerts/policy.js'
import { RelayError } from '../core/errors.js'
import { TRIGGER_DEFAULTS } from '../trigger/trigger-defaults.js'
import { sectionsOf } from './apply.js'
import { ACTIONS, SECTION_KEYS, SECTIONS, type SectionKey } from './format.js'
import type { Existing, Fields, Section } from './section.js'
import { recordOf } from './sections/settings.js'

/** Names of the things to export, by section; undefined: all of it. Sections that are not there are left out. */
export type Chosen = Partial<Record<SectionKey, readonly string[] | undefined>>

/** What is left out where it says no more than that. */
const DEFAULTS: Record<SectionKey, Fields> = {
  variables: { secret: false, description: '' },
  adapters: ADAPTER_DEFAULTS,
  notifiers: { description: '', settings: {}, enabled: true },
  alertPolicies: { ...POLICY_DEFAULTS, adapters: [] },
  triggers: { ...TRIGGER_DEFAULTS, deadLetterAdapter: null },
}

const KEPT = ' not exported: kept where it is there already; else give it, best as @env(NAME)'

/**
 * All that is there, or what is chosen of it, as a file that `apply` takes: by section and name, without what is as by
 * default. Secrets are left out, with a comment in their place.
 * @throws RelayError NOT_FOUND for a chosen name that is not there
 */
export async function exportModule(admin: AdminContext, chosen: Chosen): Promise<string> {
  const content: Record<string, Fields[]> = {}
  const sections = sectionsOf({ admin, environment: {}, isRefused: () => false })
  for (const key of SECTION_KEYS) {
    const section = sections.find((each) => each.key === key)
    if (!section || !Object.hasOwn(chosen, key)) continue
    const found = chosenOf(await section.existing(), chosen[key], section.thing)
    if (found.length > 0) content[key] = found.map((existing) => itemOf(section, existing))
  }
  return written(content)
}

function chosenOf(existing: Existing[], names: readonly string[] | undefined, thing: string): Existing[] {
  const unknown = names?.find((name) => !existing.some((each) => each.name === name))
  if (unknown !== undefined) {
    throw new RelayError(
      'NOT_FOUND',
      `there is no ${thing} "${unknown}": there are ${existing.map(({ name }) => name).join(', ') || 'none yet'}`,
    )
  }
  return names ? existing.filter(({ name }) => names.includes(name)) : existing
}

/** In the order of the format; what says no more than a default is left out. */
function itemOf(section: Section, { name, fields }: Existing): Fields {
  const item: Record<string, unknown> = { name }
  for (const field of Object.keys(SECTIONS[section.key].properties)) {
    const value = field === 'action' ? actionOf(fields.action) : fields[field]
    if (value === undefined || isDeepStrictEqual(value, DEFAULTS[section.key][field])) continue
    item[field] = withoutSecrets(value, field, (path) => section.isSecret(fields, path))
  }
  // A variable without a value keeps the one it has.
  if (section.key === 'variables' && item.value === SECRET) delete item.value
  return item
}

function actionOf(action: unknown): Fields {
  const given = recordOf(action)
  const schema = Object.entries(ACTIONS).find(([kind]) => kind === given.kind)?.[1]
  return Object.fromEntries(
    Object.keys(schema?.properties ?? {}).flatMap((name) =>
      given[name] === null ? [] : [[name, given[name]]],
    ),
  )
}

function withoutSecrets(value: unknown, path: string, isSecret: (path: string) => boolean): unknown {
  if (isSecret(path) && !(typeof value === 'string' && isReference(value))) return SECRET
  if (Array.isArray(value))
    return value.map((item, index) => withoutSecrets(item, `${path}[${index}]`, isSecret))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, withoutSecrets(inner, `${path}.${name}`, isSecret)]),
  )
}

function written(content: Record<string, Fields[]>): string {
  const document = new Document(content)
  document.commentBefore = ' Made by `bpmn-relay export`; `bpmn-relay apply -f` takes it back.'
  visit(document, {
    Scalar(_, node) {
      if (node.value === SECRET) node.comment = KEPT
    },
    Map(_, node) {
      const isSecretVariable = node.get('secret') === true && !node.has('value') && node.has('name')
      const last = node.items.at(-1)
      if (isSecretVariable && isScalar(last?.value)) last.value.comment = valueNote(String(node.get('name')))
    },
  })
  return document.toString({ lineWidth: 0 })
}

function valueNote(name: string): string {
  return ` value not exported: kept where it is there already; else give valueFrom: {env: ${name}}`
}
