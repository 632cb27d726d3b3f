import { validate as isUuid, v7 as uuidv7 } from 'uuid'
import { type DriverRegistry, driverOf } from '../brokers/registry.js'
import { RelayError } from '../core/errors.js'
import { checkName } from '../core/names.js'
import { type Database, violatesReference } from '../db/database.js'
import { AdapterEntity, type AdapterRow, EnvironmentVariableEntity, NotifierEntity } from '../db/entities.js'
import { unlessNameIsTaken } from '../db/taken-names.js'
import type { Adapter, AdapterChange, NewAdapter } from './adapter.js'
import { adapterSettingsSchema, envPurpose, resolveAdapter, variableLookup } from './resolve-adapter.js'
import type { EnvironmentVariable } from './resolve-env.js'
import type { Secrets } from './secrets.js'
import { SERIALIZATIONS, type Serialization } from './serialization/serializer.js'
import { parseSerializationSettings } from './serialization/settings.js'
import { sealSettings, secretPathsOf, variablesOf } from './stored-settings.js'

/** What is not said of a new adapter. */
export const ADAPTER_DEFAULTS = {
  description: '',
  settings: {},
  keySerialization: 'string',
  valueSerialization: 'string',
  auditRequests: true,
  logResults: false,
  slaMonitoring: true,
  enabled: true,
  managed: false,
} satisfies Partial<NewAdapter>

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_.-]{0,199}$/

/** What a person gives of a variable. */
export interface VariableInput {
  name: string
  /** Undefined: what the variable has. */
  value: string | undefined
  secret: boolean
  description: string
  /** Undefined: as it is, at first false. */
  managed?: boolean | undefined
}

/** Adapters and environment variables in Postgres. Secrets stay sealed in what it returns. */
export interface AdapterStore {
  /** By name. */
  adapters(): Promise<Adapter[]>
  /** @throws RelayError NOT_FOUND */
  adapter(idOrName: string): Promise<Adapter>
  /** @throws RelayError SETTINGS_INVALID, ENV_UNKNOWN, NAME_TAKEN, MASTER_KEY_MISSING */
  createAdapter(input: NewAdapter): Promise<Adapter>
  /** @throws RelayError NOT_FOUND, SETTINGS_INVALID, ENV_UNKNOWN, MASTER_KEY_MISSING */
  updateAdapter(idOrName: string, change: AdapterChange): Promise<Adapter>
  /** Of a disabled adapter, jobs are held. @throws RelayError NOT_FOUND */
  setEnabled(idOrName: string, enabled: boolean): Promise<Adapter>
  /** @throws RelayError NOT_FOUND; ADAPTER_IN_USE naming the triggers that refer to it */
  deleteAdapter(idOrName: string): Promise<Adapter>
  /** By name. */
  variables(): Promise<EnvironmentVariable[]>
  /**
   * Makes a variable or changes it.
   * @throws RelayError SETTINGS_INVALID, MASTER_KEY_MISSING; NOT_FOUND for a new one without a value
   */
  setVariable(variable: VariableInput): Promise<void>
  /** Tells of each variable what refers to it: names of adapters, and notifiers as `notifier NAME`. */
  variableUsers(): Promise<(variable: string) => string[]>
  /** @throws RelayError NOT_FOUND; ENV_IN_USE naming what refers to it, unless `force`. */
  deleteVariable(name: string, options: { force: boolean }): Promise<void>
}

export function createAdapterStore(
  database: Database,
  registry: DriverRegistry,
  secrets: Secrets,
): AdapterStore {
  const adapterRows = database.orm.getRepository(AdapterEntity)
  const variableRows = database.orm.getRepository(EnvironmentVariableEntity)
  const notifierRows = database.orm.getRepository(NotifierEntity)

  async function adapters(): Promise<Adapter[]> {
    return (await adapterRows.find({ order: { name: 'ASC' } })).map(adapterOf)
  }

  async function variables(): Promise<EnvironmentVariable[]> {
    return await variableRows.find({ order: { name: 'ASC' } })
  }

  async function adapter(idOrName: string): Promise<Adapter> {
    const row = await adapterRows.findOneBy(isUuid(idOrName) ? { id: idOrName } : { name: idOrName })
    if (row) return adapterOf(row)
    throw new RelayError(
      'NOT_FOUND',
      `there is no adapter "${idOrName}": \`bpmn-relay adapter list\` shows them all`,
    )
  }

  async function variableUsers(): Promise<(variable: string) => string[]> {
    const notifiers = await notifierRows.find({ order: { name: 'ASC' } })
    const users = [
      ...(await adapters()).map(({ id, name, address, settings }) => ({
        name,
        variables: variablesOf({ ...settings, address }, { kind: 'adapter', id }, secrets),
      })),
      ...notifiers.map(({ id, name, settings }) => ({
        name: `notifier ${name}`,
        variables: variablesOf({ ...settings }, { kind: 'notifier', id }, secrets),
      })),
    ]
    return (variable) => users.filter(({ variables }) => variables.has(variable)).map(({ name }) => name)
  }

  async function refuseIfInUse({ id, name }: Adapter): Promise<void> {
    const triggers = await database.query(
      `SELECT name FROM trigger WHERE $1 IN (adapter_id, forward_adapter_id, dead_letter_adapter_id) ORDER BY name`,
      [id],
    )
    if (triggers.length === 0) return
    const [those, them] = triggers.length > 1 ? ['triggers', 'them'] : ['trigger', 'it']
    throw new RelayError(
      'ADAPTER_IN_USE',
      `adapter "${name}" is used by ${those} ${triggers.map((each) => `"${each.name}"`).join(', ')}: change or delete ${them} first`,
    )
  }

  /** @param earlier settings stored for this adapter */
  async function checkedColumns(
    { id, name, kind }: Pick<Adapter, 'id' | 'name' | 'kind'>,
    given: Required<Omit<NewAdapter, 'name' | 'kind'>>,
    earlier?: Record<string, unknown>,
  ) {
    const driver = driverOf(registry, kind)
    const { address, description, auditRequests, logResults, slaMonitoring, enabled, managed } = given
    const secretPaths = secretPathsOf(adapterSettingsSchema(driver))
    const settings = sealSettings(given.settings, secretPaths, { kind: 'adapter', id }, secrets, earlier)
    const lookup = variableLookup(await variables(), secrets)
    const resolved = resolveAdapter({ id, name, address, settings }, lookup, secrets)
    driver.validate(resolved.address, resolved.settings)
    const key = serializationOf('keySerialization', given.keySerialization)
    const value = serializationOf('valueSerialization', given.valueSerialization)
    parseSerializationSettings(resolved.serialization, { key, value })
    return {
      ...{ address, description, settings, keySerialization: key, valueSerialization: value },
      ...{ auditRequests, logResults, slaMonitoring, enabled, managed },
    }
  }

  /** @throws RelayError NOT_FOUND */
  async function storedValue(name: string, secret: boolean): Promise<string> {
    const found = await variableRows.findOneBy({ name })
    if (!found) {
      throw new RelayError(
        'NOT_FOUND',
        `there is no environment variable "${name}", so it needs a value: set it with \`bpmn-relay env set ${name} VALUE\``,
      )
    }
    if (found.secret === secret) return found.value
    return secret ? secrets.seal(found.value, envPurpose(name)) : secrets.open(found.value, envPurpose(name))
  }

  return {
    adapters,
    adapter,
    variables,
    variableUsers,

    async createAdapter({ name, ...input }) {
      checkName(name)
      const id = uuidv7()
      const { kind } = driverOf(registry, input.kind)
      const columns = await checkedColumns({ id, name, kind }, { ...ADAPTER_DEFAULTS, ...input })
      await unlessNameIsTaken('an adapter', name, () =>
        adapterRows.insert({ id, name, kind, ...columns, revision: 1, developers: [], maintainers: [] }),
      )
      return await adapter(id)
    },

    async updateAdapter(idOrName, change) {
      const { name, kind, ...found } = await adapter(idOrName)
      const { id } = found
      const columns = await checkedColumns({ id, name, kind }, { ...found, ...change }, found.settings)
      await adapterRows.update({ id }, { ...columns, revision: () => 'revision + 1' })
      return await adapter(id)
    },

    async setEnabled(idOrName, enabled) {
      const { id } = await adapter(idOrName)
      await adapterRows.update({ id }, { enabled, revision: () => 'revision + 1' })
      return await adapter(id)
    },

    async deleteAdapter(idOrName) {
      const found = await adapter(idOrName)
      await refuseIfInUse(found)
      try {
        await adapterRows.delete({ id: found.id })
      } catch (cause) {
        // By a trigger that was made in between.
        if (violatesReference(cause)) await refuseIfInUse(found)
        throw cause
      }
      return found
    },

    async setVariable({ name, value, secret, description, managed }) {
      if (!ENV_NAME.test(name)) {
        throw new RelayError(
          'SETTINGS_INVALID',
          `"${name}" cannot name a variable: start with a letter or "_", then letters, digits, ". _ -", 200 at most`,
        )
      }
      const given = value !== undefined && secret ? secrets.seal(value, envPurpose(name)) : value
      const stored = given ?? (await storedValue(name, secret))
      const row = { name, value: stored, secret, description, updatedAt: new Date() }
      await variableRows.upsert({ ...row, ...(managed !== undefined && { managed }) }, ['name'])
    },

    async deleteVariable(name, { force }) {
      if (!force) {
        const users = (await variableUsers())(name)
        if (users.length > 0) {
          throw new RelayError(
            'ENV_IN_USE',
            `"${name}" is used by ${users.map((user) => `"${user}"`).join(', ')}: change ${users.length > 1 ? 'them' : 'it'} first, or delete the variable with --force`,
          )
        }
      }
      const { affected } = await variableRows.delete({ name })
      if (affected === 0) throw new RelayError('NOT_FOUND', `there is no environment variable "${name}"`)
    },
  }
}

function adapterOf(row: AdapterRow): Adapter {
  return {
    ...row,
    settings: Object.fromEntries(Object.entries(row.settings)),
    keySerialization: serializationOf('key_serialization', row.keySerialization),
    valueSerialization: serializationOf('value_serialization', row.valueSerialization),
  }
}

function serializationOf(field: string, value: string): Serialization {
  const found = SERIALIZATIONS.find((candidate) => candidate === value)
  if (found) return found
  throw new RelayError('SETTINGS_INVALID', `${field} is "${value}": use one of ${SERIALIZATIONS.join(', ')}`)
}
