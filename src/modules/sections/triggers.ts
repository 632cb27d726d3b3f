import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { TriggerAdmin } from '../../admin/trigger-admin.js'
import type { MessageFilter } from '../../brokers/subscription.js'
import { RelayError } from '../../core/errors.js'
import { parseInitialOffset, startupMoves } from '../../trigger/positions.js'
import { TRIGGER_STATES, type TriggerAction, type TriggerSettings } from '../../trigger/trigger.js'
import { loadTriggerAdapters } from '../../trigger/trigger-adapters.js'
import { DEFAULT_MESSAGE_TTL_MS } from '../../trigger/trigger-defaults.js'
import { checkedTrigger, withDefaults } from '../../trigger/trigger-settings.js'
import { settingsOf, triggers } from '../../trigger/triggers.js'
import { warningsOf } from '../../trigger/warnings.js'
import { ACTIONS, type FILTER, SECTIONS, type STARTUP_POSITION } from '../format.js'
import { type AdapterNames, adapterNames, type Section, type SectionContext } from '../section.js'

type Given = Static<typeof SECTIONS.triggers>

/**
 * Where a trigger begins is a matter of its making: the startup position of one that is there is not looked at. Its group
 * and its state stay as they are unless they are given.
 */
export function triggersSection(context: SectionContext): Section {
  const { admin } = context
  const deeds = new TriggerAdmin(admin)
  return {
    key: 'triggers',
    thing: 'trigger',

    async existing() {
      const names = await adapterNames(context)
      return (await triggers(admin.database)).map((trigger) => ({
        name: trigger.name,
        managed: trigger.managed,
        fields: fieldsOf(settingsOf(trigger), names),
      }))
    },

    async prepare({ item }, existing) {
      const { startupPosition, ...given } = Value.Parse(SECTIONS.triggers, item)
      const names = await adapterNames(context)
      const moves = startupMoves(positionOf(startupPosition))
      const kept = existing && { group: String(existing.fields.group), state: stateOf(existing.fields.state) }
      const adapters = await loadTriggerAdapters(admin)
      const settings = checkedTrigger(
        withDefaults(settingsFrom({ ...kept, ...given }, names), adapters),
        adapters,
      )
      return {
        fields: fieldsOf(settings, names),
        create: () => deeds.create(settings, { moves, managed: true }),
        update: () => deeds.update(given.name, settings, { managed: true }),
      }
    },

    remove: (name) => deeds.delete(name),

    async remarks(name) {
      const all = await triggers(admin.database)
      const adapters = await loadTriggerAdapters(admin)
      return all
        .filter((trigger) => trigger.name === name)
        .flatMap((trigger) => warningsOf(trigger, all, adapters(trigger.adapterId)))
    },

    isSecret: () => false,
  }
}

function settingsFrom(
  { adapter, deadLetterAdapter, action, filter, initialOffset, ...given }: Given,
  { idOf }: AdapterNames,
) {
  return {
    ...given,
    adapterId: idOf(adapter),
    action: actionFrom(action, idOf),
    ...(filter !== undefined && { filter: filter && filterFrom(filter) }),
    ...(initialOffset !== undefined && { initialOffset: parseInitialOffset(initialOffset) }),
    ...(deadLetterAdapter != null && { deadLetterAdapterId: idOf(deadLetterAdapter) }),
  }
}

function actionFrom(given: Given['action'], idOf: AdapterNames['idOf']): TriggerAction {
  switch (given.kind) {
    case 'start': {
      const { version = null, ...action } = Value.Parse(ACTIONS.start, given)
      return { ...action, version }
    }
    case 'message': {
      const {
        messageId = null,
        ttlMs = DEFAULT_MESSAGE_TTL_MS,
        ...action
      } = Value.Parse(ACTIONS.message, given)
      return { ...action, messageId, ttlMs }
    }
    case 'forward': {
      const { adapter, topic = null, kind } = Value.Parse(ACTIONS.forward, given)
      return { kind, adapterId: idOf(adapter), topic }
    }
  }
}

function filterFrom({ tags, sql }: Static<typeof FILTER>): MessageFilter {
  if (tags !== undefined && sql === undefined) return { tags }
  if (sql !== undefined && tags === undefined) return { sql }
  throw new RelayError('SETTINGS_INVALID', 'filter has tags and sql, or neither: give one of them')
}

function positionOf(given: Static<typeof STARTUP_POSITION> | undefined) {
  if (!given) return {}
  const { offsets, ...position } = given
  return { ...position, ...(offsets && { offsets: offsets.flatMap((each) => Object.entries(each)) }) }
}

function fieldsOf(settings: TriggerSettings, { nameOf }: AdapterNames) {
  const { name: _, adapterId, deadLetterAdapterId, action, ...same } = settings
  return {
    ...same,
    adapter: nameOf(adapterId),
    action: action.kind === 'forward' ? { ...withoutId(action), adapter: nameOf(action.adapterId) } : action,
    deadLetterAdapter: deadLetterAdapterId === null ? null : nameOf(deadLetterAdapterId),
  }
}

function withoutId({ adapterId: _, ...rest }: Extract<TriggerAction, { kind: 'forward' }>) {
  return rest
}

function stateOf(value: unknown): TriggerSettings['state'] {
  return TRIGGER_STATES.find((state) => state === value) ?? 'running'
}
