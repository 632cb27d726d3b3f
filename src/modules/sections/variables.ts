import { readFileSync } from 'node:fs'
import path from 'node:path'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { envPurpose } from '../../adapters/resolve-adapter.js'
import { createAdapterChanges } from '../../admin/adapter-changes.js'
import { messageOf, RelayError } from '../../core/errors.js'
import type { Declaration } from '../declarations.js'
import { SECTIONS } from '../format.js'
import type { Section, SectionContext } from '../section.js'

type Variable = Static<typeof SECTIONS.variables>

/** Environment variables. One without a value must be there, and keeps it. */
export function variablesSection({ admin, environment }: SectionContext): Section {
  const { store, secrets } = admin
  const changes = createAdapterChanges(admin)
  return {
    key: 'variables',
    thing: 'variable',

    async existing() {
      return (await store.variables()).map(({ name, managed, value, secret, description }) => ({
        name,
        managed,
        fields: { value, secret, description },
      }))
    },

    async prepare(declaration, existing) {
      const variable = Value.Parse(SECTIONS.variables, declaration.item)
      const { name, description = '' } = variable
      const secret = variable.secret ?? existing?.fields.secret === true
      const value = givenValue(variable, declaration, environment)
      if (value === undefined && !existing) {
        throw new RelayError(
          'NOT_FOUND',
          `it has no value here, and there is no such variable yet: give value or valueFrom, or first \`bpmn-relay env set ${name} - --secret\``,
        )
      }
      const stored = existing?.fields.value
      const isKept =
        existing?.fields.secret === true && typeof stored === 'string' && value !== undefined
          ? secrets.open(stored, envPurpose(name)) === value
          : value === undefined
      const input = { name, value: isKept ? undefined : value, secret, description, managed: true }
      return {
        fields: { value: isKept ? stored : value, secret, description },
        create: () => changes.setVariable(input),
        update: () => changes.setVariable(input),
      }
    },

    remove: (name) => changes.deleteVariable(name, { force: false }),
    isSecret: (fields, field) => field === 'value' && fields.secret === true,
  }
}

function givenValue(
  { value, valueFrom }: Variable,
  { source }: Declaration,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  if (valueFrom === undefined) return value
  const { env, file } = valueFrom
  if (value !== undefined || (env === undefined) === (file === undefined)) {
    throw invalid('value, valueFrom.env and valueFrom.file exclude each other: give exactly one of them')
  }
  if (env !== undefined) {
    const found = environment[env]
    if (found !== undefined) return found
    throw invalid(`valueFrom.env names ${env}, which is not set in the environment of this command: set it`)
  }
  try {
    return readFileSync(path.resolve(source.folder, file ?? ''), 'utf8').replace(/\r?\n$/, '')
  } catch (cause) {
    throw invalid(`valueFrom.file cannot be read: ${messageOf(cause)}`, cause)
  }
}

function invalid(message: string, cause?: unknown): RelayError {
  return new RelayError('SETTINGS_INVALID', message, cause === undefined ? {} : { cause })
}
