import { Value } from 'typebox/value'
import { v7 as uuidv7 } from 'uuid'
import { adapterSettingsSchema } from '../../adapters/resolve-adapter.js'
import { envNamesIn } from '../../adapters/resolve-env.js'
import { ADAPTER_DEFAULTS } from '../../adapters/store.js'
import { secretPathsOf, withKeptSecrets } from '../../adapters/stored-settings.js'
import { createAdapterChanges } from '../../admin/adapter-changes.js'
import { driverOf } from '../../brokers/registry.js'
import { SECTIONS } from '../format.js'
import { Dependent, type Section, type SectionContext } from '../section.js'
import { isSecretSetting, recordOf, refuseOtherKind } from './settings.js'

export function adaptersSection({ admin, isRefused }: SectionContext): Section {
  const { store, registry, secrets } = admin
  const changes = createAdapterChanges(admin)
  const schemaOf = (kind: string) => adapterSettingsSchema(driverOf(registry, kind))
  const { managed: _, ...defaults } = ADAPTER_DEFAULTS
  return {
    key: 'adapters',
    thing: 'adapter',

    async existing() {
      return (await store.adapters()).map((adapter) => {
        const { name, managed, kind, address, description, settings } = adapter
        const { keySerialization, valueSerialization, auditRequests, logResults, slaMonitoring, enabled } =
          adapter
        return {
          name,
          managed,
          fields: {
            ...{ kind, address, description, settings, keySerialization, valueSerialization },
            ...{ auditRequests, logResults, slaMonitoring, enabled },
          },
        }
      })
    },

    async prepare({ item }, existing) {
      const { name, kind, ...given } = Value.Parse(SECTIONS.adapters, item)
      refuseOtherKind('adapter', kind, existing)
      const used = envNamesIn(JSON.stringify([given.address, given.settings]))
      if (used.some((variable) => isRefused('variables', variable))) throw new Dependent()
      const id = existing ? (await store.adapter(name)).id : uuidv7()
      const settings = withKeptSecrets(
        given.settings ?? {},
        recordOf(existing?.fields.settings),
        secretPathsOf(schemaOf(kind)),
        { kind: 'adapter', id },
        secrets,
      )
      // Operators take adapters out of service: what is not said of that stays.
      const enabled = given.enabled ?? existing?.fields.enabled !== false
      const wanted = { ...defaults, ...given, settings, enabled }
      return {
        fields: { kind, ...wanted },
        create: () => changes.createAdapter({ name, kind, ...wanted, managed: true }),
        update: () => changes.updateAdapter(id, { ...wanted, managed: true }),
      }
    },

    remove: (name) => changes.deleteAdapter(name),
    isSecret: (fields, path) => isSecretSetting(schemaOf(String(fields.kind)), path),
  }
}
