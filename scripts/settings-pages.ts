// What the pages that lead people who know settings by other names to ours have in common.
import type { HonouredProperty, KnownProperties, RefusedProperties } from '../src/brokers/settings.js'
import type { SettingField } from '../src/cli/settings.js'
import { code, markdownTable } from './doc-pages.js'

export const SAME = 'the same'

export interface Correspondence {
  /** Name of the field where people come from. */
  name: string
  theirDefault: string
  /** Path of our setting; `address` is the adapter's; null: there is none. */
  ours: string | null
  why: string
}

export function comparison(rows: Correspondence[], fields: ReadonlyMap<string, SettingField>): string[] {
  return markdownTable(
    ['theirs', 'ours', 'their default', 'our default', 'why'],
    rows.map(({ name, theirDefault, ours, why }) => [
      name,
      ours === null ? 'none' : code(ours),
      theirDefault === '' ? '' : code(theirDefault),
      defaultOf(ours, fields),
      why,
    ]),
  )
}

function defaultOf(path: string | null, fields: ReadonlyMap<string, SettingField>): string {
  if (path === null || path === 'address') return ''
  const field = fields.get(path)
  if (!field) throw new Error(`the schema has no setting ${path}`)
  return field.default === undefined ? '' : code(field.default)
}

/** The properties of one Java client. */
interface JavaClient extends KnownProperties {
  /** Heading, such as "From Kafka's Java producer". */
  from: string
  /** A property and its value, as for `--setting`. */
  example: string
}

/** The sections on `properties`, by their names at a Java client, and on all settings. */
export function ownSections(page: {
  clients: JavaClient[]
  fields: ReadonlyMap<string, SettingField>
  /** Where docs/configuration.md explains them. */
  anchor: string
}): string[] {
  return [
    ...page.clients.flatMap(({ from, example, honoured, refused }) => [
      `## ${from}`,
      '',
      `Given as \`${mapOf(example, page.fields)}\`, such as \`--setting ${example}\`. A setting given by its own name wins over`,
      'the property that stands for it.',
      '',
      ...propertyTables(honoured, refused),
      '',
    ]),
    '## All settings',
    '',
    ...settingsTable(page.fields),
    '',
    `What each means is in [configuration.md](configuration.md#${page.anchor}).`,
  ]
}

/** Path of the setting that holds the property of an example. */
function mapOf(example: string, fields: ReadonlyMap<string, SettingField>): string {
  const map = [...fields.values()].find(({ isMap, path }) => isMap && example.startsWith(`${path}.`))
  if (!map) throw new Error(`the schema has no map for ${example}`)
  return map.path
}

/** The properties of a Java client that are honoured, then those that are not. */
function propertyTables(
  honoured: Readonly<Record<string, HonouredProperty>>,
  refused: RefusedProperties,
): string[] {
  return [
    ...markdownTable(
      ['property', 'setting', 'values'],
      Object.entries(honoured).map(([name, { path, values }]) => [
        code(name),
        code(path),
        values
          ? Object.entries(values)
              .map(([theirs, ours]) => `${code(theirs)} is ${code(String(ours))}`)
              .join(', ')
          : SAME,
      ]),
    ),
    '',
    'Refused, as is every name that is in neither table:',
    '',
    ...markdownTable(
      ['property', 'why, and what to do'],
      Object.entries(refused).map(([name, reason]) => [code(name), reason]),
    ),
  ]
}

function settingsTable(fields: ReadonlyMap<string, SettingField>): string[] {
  return markdownTable(
    ['setting', 'title', 'unit', 'default'],
    [...fields.values()].map(({ path, title, unit = '', default: value }) => [
      code(path),
      title,
      unit,
      value === undefined ? '' : code(value),
    ]),
  )
}
