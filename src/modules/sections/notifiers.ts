import { Value } from 'typebox/value'
import { v7 as uuidv7 } from 'uuid'
import { envNamesIn } from '../../adapters/resolve-env.js'
import { secretPathsOf, withKeptSecrets } from '../../adapters/stored-settings.js'
import { createNotifierAdmin } from '../../admin/notifier-admin.js'
import { notifierKind } from '../../alerts/notifiers/kinds.js'
import { SECTIONS } from '../format.js'
import { Dependent, type Section, type SectionContext } from '../section.js'
import { isSecretSetting, recordOf, refuseOtherKind } from './settings.js'

export function notifiersSection({ admin, isRefused }: SectionContext): Section {
  const notifiers = createNotifierAdmin(admin)
  return {
    key: 'notifiers',
    thing: 'notifier',

    async existing() {
      const all = await notifiers.store.notifiers()
      return all.map(({ id: _, name, managed, ...fields }) => ({ name, managed, fields }))
    },

    async prepare({ item }, existing) {
      const { name, kind, description = '', ...given } = Value.Parse(SECTIONS.notifiers, item)
      refuseOtherKind('notifier', kind, existing)
      const used = envNamesIn(JSON.stringify(given.settings ?? {}))
      if (used.some((variable) => isRefused('variables', variable))) throw new Dependent()
      const known = existing ? await notifiers.store.notifier(name) : undefined
      const settings = withKeptSecrets(
        given.settings ?? {},
        recordOf(existing?.fields.settings),
        secretPathsOf(notifierKind(kind).settings),
        { kind: 'notifier', id: known?.id ?? uuidv7() },
        admin.secrets,
      )
      const enabled = given.enabled ?? existing?.fields.enabled !== false
      const wanted = { description, settings, enabled }
      return {
        fields: { kind, ...wanted },
        create: () => notifiers.create({ name, kind, ...wanted, managed: true }),
        update: async () => known && (await notifiers.update(known, { ...wanted, managed: true })),
      }
    },

    remove: (name) => notifiers.delete(name),
    isSecret: (fields, path) => isSecretSetting(notifierKind(String(fields.kind)).settings, path),
  }
}
