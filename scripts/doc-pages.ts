// The parts of the documentation that are made from the program itself; `npm run docs` writes them, guard tests
// compare them.
import type { TObject } from 'typebox'
import { serializationSettingsSchema } from '../src/adapters/serialization/settings.js'
import { notifierKind } from '../src/alerts/notifiers/kinds.js'
import { brokerDrivers } from '../src/brokers/registry.js'
import { settingFields } from '../src/cli/settings.js'
import { configEntries } from '../src/core/config.js'
import { ERRORS, type ErrorCode, RelayError } from '../src/core/errors.js'

export const CONFIGURATION_PAGE = 'docs/configuration.md'
export const ERRORS_PAGE = 'docs/errors.md'

const KIND_NAMES: Record<string, string> = { kafka: 'Kafka', rocketmq: 'RocketMQ' }

export function configurationPage(): string {
  const variables = configEntries().map(({ env, default: value, defaultText, secret, text }) => [
    code(env),
    defaultText ?? (value === undefined ? '' : code(String(value))),
    text + (secret ? ' Never shown.' : ''),
  ])
  const drivers = [...brokerDrivers().values()]
  const sections = [
    ...drivers.map(({ kind, settings }) => ({ title: KIND_NAMES[kind] ?? kind, settings })),
    { title: 'Serialization, for every kind', settings: serializationSettingsSchema },
  ].flatMap(({ title, settings }) => [`### ${title}`, '', ...settingsMeanings(settings), ''])
  return `${[
    '# Configuration',
    '',
    '<!-- Made by `npm run docs`; do not edit. -->',
    '',
    '## The program',
    '',
    'All commands read their settings from environment variables. An empty variable counts as not set; a wrong one is',
    'refused at start, with what would be right.',
    '',
    ...markdownTable(['variable', 'default', 'meaning'], variables),
    '',
    '## Adapters',
    '',
    'An adapter has an address and settings, given by `bpmn-relay adapter create` as `--setting path=value` or as a JSON',
    'object in `--settings-file`. Both may hold `@env(NAME)` anywhere, any number of times: the value of the environment',
    'variable that `bpmn-relay env set NAME VALUE` keeps in Postgres. `@@env(` stands for the text `@env(` itself.',
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd()}\n`
}

/** All settings of a schema with what they mean. */
function settingsMeanings(settings: TObject): string[] {
  return markdownTable(
    ['setting', 'values', 'default', 'meaning'],
    settingFields(settings).map((field) => [
      code(field.path),
      field.choices.length > 0
        ? field.choices.map(code).join(', ')
        : [field.type, ...(field.unit === undefined ? [] : [field.unit])].join(', '),
      field.default === undefined ? '' : code(field.default),
      field.text + (field.secret ? ' Kept encrypted, never shown.' : ''),
    ]),
  )
}

/** Codes that only people at the command line meet, never a process. */
const NOT_OF_TASKS: ReadonlySet<string> = new Set([
  'CONFIG_INVALID',
  'DATABASE_UNREACHABLE',
  'DATABASE_NOT_MIGRATED',
  'ENGINE_UNREACHABLE',
  'NAME_TAKEN',
  'ADAPTER_IN_USE',
  'ENV_IN_USE',
  'NOTIFIER_IN_USE',
  'NOTIFIER_DISABLED',
  'NOTIFIER_REFUSED',
  'NOTIFIER_UNREACHABLE',
  'NOT_FOUND',
  'GROUP_ACTIVE',
  'STACK_PREREQUISITE_MISSING',
  'STACK_SERVER_FAILED',
] satisfies ErrorCode[])

/** The table of all codes, as it stands in the errors page. */
export function errorTable(): string {
  const rows = codes().map((each) => [
    code(each),
    ERRORS[each].outcome,
    new RelayError(each, '').retryable ? 'yes' : 'no',
    ERRORS[each].meaning,
    NOT_OF_TASKS.has(each) ? 'refused configuration' : code('CORE:RUNTIME'),
  ])
  return markdownTable(['code', 'outcome', 'retryable', 'meaning', 'elsewhere'], rows).join('\n')
}

const TABLE_START = '<!-- Table made by `npm run docs`; do not edit. -->\n'
const TABLE_END = '\n<!-- End of the table. -->'

/** The errors page with its table brought up to date. */
export function errorsPage(page: string): string {
  return withTable(ERRORS_PAGE, page, 0, errorTable())
}

export const NOTIFIERS_PAGE = 'docs/notifiers.md'

/** The page of the notifiers with the tables of their settings brought up to date. */
export function notifiersPage(page: string): string {
  return ['webhook', 'mail'].reduce((text, kind) => {
    const heading = `\n### Settings of kind ${kind}\n`
    if (!text.includes(heading)) throw new Error(`${NOTIFIERS_PAGE} has lost its settings of kind ${kind}`)
    const table = settingsMeanings(notifierKind(kind).settings).join('\n')
    return withTable(NOTIFIERS_PAGE, text, text.indexOf(heading), table)
  }, page)
}

/** A page with another table in place of the first one after `from` that has the comments around it. */
function withTable(name: string, page: string, from: number, table: string): string {
  const start = page.indexOf(TABLE_START, from)
  const end = page.indexOf(TABLE_END, start)
  if (start < 0 || end < 0) throw new Error(`${name} has lost the comments around a table`)
  return `${page.slice(0, start)}${TABLE_START}${table}${page.slice(end)}`
}

function codes(): ErrorCode[] {
  const isCode = (name: string): name is ErrorCode => name in ERRORS
  return Object.keys(ERRORS).filter(isCode)
}

export function markdownTable(titles: string[], rows: string[][]): string[] {
  const line = (cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(titles), `|${titles.map(() => '---').join('|')}|`, ...rows.map(line)]
}

export function code(text: string): string {
  return `\`${text}\``
}
