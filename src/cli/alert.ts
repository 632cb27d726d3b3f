import { type Command, Option } from 'commander'
import type { Alert, AlertFilter } from '../alerts/alerts.js'
import { RelayError } from '../core/errors.js'
import { addPolicyCommands } from './alert-policy.js'
import { parseDuration, parseMoment, wholeNumber } from './arguments.js'
import { withAlertAdmin, withWorkbench } from './context.js'
import { table } from './table.js'

const DEFAULT_LIMIT = 50
const MOST_ROWS = 10_000
const STATES = ['pending', 'firing', 'resolved'] as const
const SEVERITIES = ['info', 'warning', 'critical'] as const

export function addAlertCommands(program: Command): void {
  const alert = program
    .command('alert')
    .description('Alerts: what is wrong or was, the policies that say so, and silences.')
  addPolicyCommands(alert)

  alert
    .command('list')
    .description('Show alerts, the latest first, page by page.')
    .addOption(new Option('--state <state>', 'in this state').choices(STATES))
    .addOption(new Option('--severity <severity>', 'of this severity').choices(SEVERITIES))
    .option('--policy <name>', 'of this policy, by name or id')
    .option('--adapter <name>', 'about this adapter, by name or id')
    .option('--acknowledged', 'that somebody looks after')
    .option('--no-acknowledged', 'that nobody looks after yet')
    .option('--since <time>', 'not over before: 30m, 1h, 7d ago, or an ISO 8601 time', parseMoment)
    .option('--until <time>', 'begun before: likewise', parseMoment)
    .option('--limit <count>', 'rows of a page at most', wholeNumber(1, MOST_ROWS), DEFAULT_LIMIT)
    .option('--page <place>', 'the page that begins there, as the page before tells at its end')
    .option('--json', 'one JSON object a line')
    .addHelpText(
      'after',
      `
A state is pending (the condition holds, not yet for its duration), firing or resolved. An alert must match all options.

Examples:
  bpmn-relay alert list --state firing
  bpmn-relay alert list --no-acknowledged --severity critical
  bpmn-relay alert list --adapter orders --since 7d --json`,
    )
    .action(listAlerts)

  alert
    .command('show <id>')
    .description('Show one alert, and what became of each notice.')
    .option('--json', 'as JSON')
    .action(showAlert)

  alert
    .command('ack <id>')
    .description('Say that you look after an alert.')
    .requiredOption('--note <text>', 'what you know or do about it')
    .action(acknowledge)

  alert
    .command('test <policy>')
    .description('Send a test through each notifier of a policy, by name or id.')
    .action(sendTest)

  addSilenceCommands(alert)
}

function addSilenceCommands(alert: Command): void {
  const silence = alert
    .command('silence')
    .description(
      'Silences: times in which the notices of some alerts are not sent. The alerts are listed nonetheless.',
    )

  silence
    .command('add')
    .description('Keep notices back for a while. What still fires at its end is told then.')
    .option('--policy <name>', 'of alerts of this policy, by name or id')
    .option('--adapter <name>', 'of alerts about this adapter, by name or id')
    .addOption(new Option('--severity <severity>', 'of alerts of this severity').choices(SEVERITIES))
    .option('--all', 'of all alerts')
    .option('--from <time>', 'from then on, an ISO 8601 time; default: now', parseMoment)
    .option('--for <duration>', 'for so long, such as 30m or 2h', parseDuration)
    .option('--until <time>', 'until then, an ISO 8601 time', parseMoment)
    .requiredOption('--reason <text>', 'why')
    .addHelpText(
      'after',
      `
An alert must match all that is given.

Examples:
  bpmn-relay alert silence add --adapter orders --for 2h --reason 'new brokers'
  bpmn-relay alert silence add --all --from 2026-12-24T00:00:00Z --until 2026-12-27T00:00:00Z --reason holidays`,
    )
    .action(addSilence)

  silence
    .command('list')
    .description('Show silences that are not over.')
    .option('--over', 'those that are over too')
    .option('--json', 'as JSON')
    .action(listSilences)

  silence
    .command('remove <id>')
    .description('End a silence: what still fires is told.')
    .action((id: string) =>
      withAlertAdmin(async (admin) => {
        await admin.unsilence(id)
        console.log(`Silence ${id} is removed.`)
      }),
    )
}

interface ListOptions extends AlertFilter {
  limit: number
  page?: string
  json?: true
}

async function listAlerts({ limit, page, json, ...filter }: ListOptions): Promise<void> {
  const { alertPage } = await import('../alerts/alerts.js')
  await withWorkbench(async ({ database }) => {
    const { alerts, next } = await alertPage(database, filter, { limit, after: page })
    if (json) for (const alert of alerts) console.log(JSON.stringify(alert))
    else if (alerts.length === 0) console.log('No alerts match.')
    else console.log(alertTable(alerts))
    if (next !== null) console.error(`There are more: --page ${next} shows them.`)
  })
}

function alertTable(alerts: readonly Alert[]): string {
  const columns = ['SINCE', 'STATE', 'SEVERITY', 'POLICY', 'ABOUT', 'LOOKED AFTER BY', 'ID', 'TEXT'].map(
    (title) => ({ title }),
  )
  const rows = alerts.map((alert) => [
    `${alert.since.toISOString().slice(0, 19)}Z`,
    alert.silenced ? `${alert.state}, silenced` : alert.state,
    alert.severity,
    alert.policy,
    alert.adapter ?? alert.subject,
    alert.acknowledgedBy ?? '',
    alert.id,
    alert.resolvedBecause ?? alert.text ?? '',
  ])
  return table(columns, rows)
}

async function showAlert(id: string, options: { json?: true }): Promise<void> {
  const { alertById } = await import('../alerts/alerts.js')
  await withWorkbench(async ({ database }) => {
    const alert = await alertById(database, id)
    if (options.json) {
      console.log(JSON.stringify(alert, null, 2))
      return
    }
    const { notices, ...fields } = alert
    const rows = Object.entries(fields).flatMap(([field, value]) =>
      value === null ? [] : [[field, value instanceof Date ? value.toISOString() : String(value)]],
    )
    console.log(table([{ title: 'FIELD' }, { title: 'VALUE' }], rows))
    if (notices.length === 0) return
    const columns = ['NOTICE', 'NOTIFIER', 'STATUS', 'ATTEMPTS', 'ERROR'].map((title) => ({ title }))
    const told = notices.map(({ kind, notifier, status, attempts, error }) => [
      ...[kind, notifier, status, String(attempts), error ?? ''],
    ])
    console.log(`\n${table(columns, told)}`)
  })
}

async function acknowledge(id: string, { note }: { note: string }): Promise<void> {
  await withAlertAdmin(async (admin) => {
    const { policy, acknowledgedBy } = await admin.acknowledge(id, note)
    console.log(`${acknowledgedBy} looks after the alert of "${policy}".`)
  })
}

async function sendTest(policy: string): Promise<void> {
  await withAlertAdmin(async (admin) => {
    const results = await admin.test(policy)
    for (const [name, error] of results) if (!error) console.log(`Notifier "${name}" has delivered it.`)
    const failures = [...results].flatMap(([name, error]) => (error ? [{ name, error }] : []))
    const [first] = failures
    if (!first) return
    const reasons = failures.map(({ name, error }) => `"${name}": ${error.message}`)
    throw new RelayError(first.error.code, `not delivered by ${reasons.join('; ')}`, { cause: first.error })
  })
}

interface SilenceOptions {
  policy?: string
  adapter?: string
  severity?: (typeof SEVERITIES)[number]
  all?: true
  from?: Date
  for?: number
  until?: Date
  reason: string
}

async function addSilence(options: SilenceOptions, command: Command): Promise<void> {
  const { policy, adapter, severity, all, from: startsAt = new Date(), for: seconds, until, reason } = options
  const isScoped = policy !== undefined || adapter !== undefined || severity !== undefined
  if (isScoped === (all === true)) {
    command.error('error: say what is silenced: --policy, --adapter or --severity, or --all alone')
  }
  if ((seconds === undefined) === (until === undefined)) command.error('error: give either --for or --until')
  const endsAt = until ?? new Date(startsAt.getTime() + (seconds ?? 0) * 1000)
  await withAlertAdmin(async (admin) => {
    const id = await admin.silence({ policy, adapter, severity, startsAt, endsAt, reason })
    console.log(`Notices are kept back until ${endsAt.toISOString()}: silence ${id}.`)
  })
}

async function listSilences(options: { over?: true; json?: true }): Promise<void> {
  const { alertSilences } = await import('../alerts/silences.js')
  await withWorkbench(async ({ database }) => {
    const silences = await alertSilences(database, { over: options.over ?? false })
    if (options.json) console.log(JSON.stringify(silences, null, 2))
    else if (silences.length === 0) console.log('No silences.')
    else {
      const columns = ['FROM', 'UNTIL', 'POLICY', 'ADAPTER', 'SEVERITY', 'BY', 'REASON', 'ID'].map(
        (title) => ({ title }),
      )
      const rows = silences.map((silence) => [
        ...[silence.startsAt, silence.endsAt].map((at) => `${at.toISOString().slice(0, 19)}Z`),
        ...[silence.policyName, silence.adapterName, silence.severity].map((value) => value ?? 'any'),
        ...[silence.createdBy, silence.reason, silence.id],
      ])
      console.log(table(columns, rows))
    }
  })
}
