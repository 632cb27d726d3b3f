import type { Command } from 'commander'
import type { AlertPolicy, PolicySettings } from '../alerts/policy.js'
import { parseDuration } from './arguments.js'
import { confirm } from './ask.js'
import { withAlertAdmin, withWorkbench } from './context.js'
import { warnIfManaged } from './managed.js'
import { table } from './table.js'

const WORDS = `
Operators are above, at-least, below and at-most. A share is written as 0.05 or 5%, durations of calls in milliseconds, ages in
seconds. An alert fires once the condition has held for the for-duration, and is resolved where the operator no longer
holds with the recovery threshold. docs/alerts.md explains metrics, windows and states.
`

export function addPolicyCommands(alert: Command): void {
  const policy = alert.command('policy').description('Alert policies: what is watched for, and who is told.')

  policy.command('list').description('Show all policies.').option('--json', 'as JSON').action(listPolicies)

  policy
    .command('show <name>')
    .description('Show one policy, by name or id.')
    .option('--json', 'as JSON')
    .action(showPolicy)

  policy
    .command('presets')
    .description('Show the ready-made policies. None is there until it is made with `create --preset NAME`.')
    .option('--json', 'as JSON')
    .action(listPresets)

  policy
    .command('metrics')
    .description('Explain the metrics that policies may be about.')
    .action(explainMetrics)

  withSettings(policy.command('create'))
    .description('Make a policy.')
    .option('--name <name>', 'what it is called; unique; default: the name of the preset')
    .option('--preset <preset>', 'take what is not given here from a ready-made policy; see `presets`')
    .option('--disabled', 'make it disabled')
    .addHelpText(
      'after',
      `${WORDS}
Examples:
  bpmn-relay alert policy create --preset broker-out-of-reach --notifier ops
  bpmn-relay alert policy create --preset error-rate --name orders-fail --adapter orders --threshold 1% --notifier ops
  bpmn-relay alert policy create --name quiet --metric calls --operator below --threshold 10 --window 1h \\
    --process order-published --severity critical --notifier ops --owner ada`,
    )
    .action(makePolicy)

  withSettings(policy.command('update <name>'))
    .description(
      'Change what is given of a policy, by name or id. Its open alerts are held against the new condition.',
    )
    .option('--name <name>', 'another name')
    .option('--no-recovery', 'recover at the threshold itself')
    .option('--each', 'one alert for each adapter, instead of --total')
    .option('--all-adapters', 'of whatever adapter')
    .option('--no-notifiers', 'tell nobody')
    .addHelpText(
      'after',
      `${WORDS}
Options that may be repeated replace all there was.

Examples:
  bpmn-relay alert policy update orders-fail --threshold 2% --for 5m
  bpmn-relay alert policy update orders-fail --notifier ops mail-to-ada`,
    )
    .action(changePolicy)

  policy
    .command('enable <name>')
    .description('Evaluate a policy from now on.')
    .action((name: string) => setEnabled(name, true))

  policy
    .command('disable <name>')
    .description('Do not evaluate a policy; its open alerts are resolved.')
    .action((name: string) => setEnabled(name, false))

  policy
    .command('delete <name>')
    .description('Delete a policy, by name or id. Its open alerts are resolved; the list keeps them.')
    .option('-y, --yes', 'delete without asking')
    .action(deletePolicy)
}

interface SettingOptions {
  name?: string
  description?: string
  metric?: string
  operator?: string
  threshold?: string
  recovery?: string | false
  window?: number
  for?: number
  severity?: string
  adapter?: string[]
  allAdapters?: true
  kind?: string
  operation?: string
  process?: string
  total?: true
  each?: true
  owner?: string[]
  notifier?: string[]
  notifiers?: false
}

function withSettings(command: Command): Command {
  return command
    .option('--description <text>', 'what it is for')
    .option('--metric <metric>', 'what is measured; see `metrics`')
    .option('--operator <operator>', 'above, at-least, below or at-most')
    .option('--threshold <value>', 'what is measured is held against it')
    .option('--recovery <value>', 'recovery threshold; default: the threshold')
    .option(
      '--window <duration>',
      'of calls: the running minute and so many before; default: 5m',
      parseDuration,
    )
    .option('--for <duration>', 'how long the condition must hold, such as 30s; default: 0s', parseDuration)
    .option('--severity <severity>', 'info, warning or critical; default: warning')
    .option('--adapter <name...>', 'of these adapters only, by name or id')
    .option('--kind <kind>', 'of adapters of this kind only: kafka or rocketmq')
    .option('--operation <name>', 'of calls of this operation only, such as publish')
    .option('--process <id>', 'of calls of processes with this BPMN id only')
    .option('--total', 'one alert for all adapters taken together, instead of one each')
    .option('--owner <person...>', 'who looks after it; told with each notice')
    .option('--notifier <name...>', 'who is told; see `bpmn-relay notifier list`')
}

async function makePolicy(
  options: SettingOptions & { preset?: string; disabled?: true },
  command: Command,
): Promise<void> {
  const { POLICY_DEFAULTS } = await import('../alerts/policy.js')
  const { presetNamed } = await import('../alerts/presets.js')
  const { preset, disabled } = options
  const base = preset === undefined ? undefined : presetNamed(preset)
  await withAlertAdmin(async (admin, { store }) => {
    const given = await settingsOf(options, (adapter) => store.adapter(adapter))
    const { name, metric, operator, threshold } = { ...base, ...given }
    if (name === undefined || metric === undefined || operator === undefined || threshold === undefined) {
      command.error('error: give --name, --metric, --operator and --threshold, or a --preset')
    }
    const made = await admin.create({
      ...POLICY_DEFAULTS,
      ...base,
      ...given,
      ...{ name, metric, operator, threshold, enabled: !disabled },
    })
    console.log(`Alert policy "${made.name}" is made${made.enabled ? '' : ', disabled'}: id ${made.id}.`)
    if (made.notifiers.length === 0)
      console.error('It tells nobody: give it a --notifier, or look at `alert list`.')
  })
}

async function changePolicy(name: string, options: SettingOptions): Promise<void> {
  await withAlertAdmin(async (admin, { store }) => {
    const changed = await admin.update(name, await settingsOf(options, (adapter) => store.adapter(adapter)))
    console.log(`Alert policy "${changed.name}" is changed.`)
    warnIfManaged(changed)
  })
}

/** What the options say of a policy; nothing of what is not given. */
async function settingsOf(
  options: SettingOptions,
  adapterOf: (idOrName: string) => Promise<{ id: string }>,
): Promise<Partial<PolicySettings>> {
  const { parseMetric, parseOperator, parseSeverity } = await import('../alerts/policy.js')
  const { name, description, metric, operator, threshold, recovery, severity, adapter, kind, operation } =
    options
  const adapters = adapter === undefined ? [] : await Promise.all(adapter.map(adapterOf))
  return {
    ...(name !== undefined && { name }),
    ...(description !== undefined && { description }),
    ...(metric !== undefined && { metric: parseMetric(metric) }),
    ...(operator !== undefined && { operator: parseOperator(operator) }),
    ...(threshold !== undefined && { threshold: parseLimit(threshold) }),
    ...(typeof recovery === 'string' && { recoveryThreshold: parseLimit(recovery) }),
    ...(recovery === false && { recoveryThreshold: null }),
    ...(options.window !== undefined && { windowMinutes: options.window / 60 }),
    ...(options.for !== undefined && { forSeconds: options.for }),
    ...(severity !== undefined && { severity: parseSeverity(severity) }),
    ...((adapter !== undefined || options.allAdapters) && { adapterIds: adapters.map(({ id }) => id) }),
    ...(kind !== undefined && { adapterKind: kind }),
    ...(operation !== undefined && { operation }),
    ...(options.process !== undefined && { processId: options.process }),
    ...(options.total && { inTotal: true }),
    ...(options.each && { inTotal: false }),
    ...(options.owner !== undefined && { owners: options.owner }),
    ...(options.notifier !== undefined && { notifiers: options.notifier }),
    ...(options.notifiers === false && { notifiers: [] }),
  }
}

/** Whatever is no number is refused when the policy is checked. */
function parseLimit(text: string): number {
  const [, number = 'NaN', percent] = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim()) ?? []
  return percent === '%' ? Number(number) / 100 : Number(number)
}

async function listPolicies(options: { json?: true }): Promise<void> {
  const { alertPolicies } = await import('../alerts/policies.js')
  const { conditionText } = await import('../alerts/wording.js')
  await withWorkbench(async ({ database }) => {
    const policies = await alertPolicies(database)
    if (options.json) console.log(JSON.stringify(policies, null, 2))
    else if (policies.length === 0)
      console.log('No alert policies yet: `bpmn-relay alert policy presets` shows ready-made ones.')
    else {
      const columns = ['NAME', 'ENABLED', 'SEVERITY', 'CONDITION', 'NOTIFIERS', 'DESCRIPTION'].map(
        (title) => ({ title }),
      )
      const rows = policies.map((policy) => [
        policy.name,
        policy.enabled ? 'yes' : 'no',
        policy.severity,
        conditionText(policy),
        policy.notifiers.join(', '),
        policy.description,
      ])
      console.log(table(columns, rows))
    }
  })
}

async function showPolicy(name: string, options: { json?: true }): Promise<void> {
  const { alertPolicy } = await import('../alerts/policies.js')
  await withWorkbench(async ({ database, store }) => {
    const policy = await alertPolicy(database, name)
    const adapters = await store.adapters()
    const nameOf = (id: string) => adapters.find((adapter) => adapter.id === id)?.name ?? `${id} (deleted)`
    if (options.json) console.log(JSON.stringify(policy, null, 2))
    else console.log(policyTable(policy, nameOf))
  })
}

function policyTable(policy: AlertPolicy, nameOf: (adapterId: string) => string): string {
  const { adapterIds, createdAt, updatedAt, ...same } = policy
  const shown = {
    ...same,
    adapters: adapterIds.length === 0 ? 'all' : adapterIds.map(nameOf),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  }
  const rows = Object.entries(shown).map(([field, value]) => [
    field,
    Array.isArray(value) ? value.join(', ') : value === null ? '' : String(value),
  ])
  return table([{ title: 'FIELD' }, { title: 'VALUE' }], rows)
}

async function listPresets(options: { json?: true }): Promise<void> {
  const { PRESETS } = await import('../alerts/presets.js')
  const { conditionText } = await import('../alerts/wording.js')
  if (options.json) {
    console.log(JSON.stringify(PRESETS, null, 2))
    return
  }
  const columns = ['PRESET', 'SEVERITY', 'CONDITION', 'DESCRIPTION'].map((title) => ({ title }))
  const rows = PRESETS.map((preset) => [
    preset.name,
    preset.severity,
    conditionText(preset),
    preset.description,
  ])
  console.log(table(columns, rows))
}

async function explainMetrics(): Promise<void> {
  const { METRICS, UNITS, SCOPES } = await import('../alerts/metrics.js')
  const columns = ['METRIC', 'UNIT', 'OF', 'MEANING'].map((title) => ({ title }))
  const rows = Object.entries(METRICS).map(([name, { unit, of, text }]) => [
    name,
    UNITS[unit],
    SCOPES[of],
    text,
  ])
  console.log(table(columns, rows))
}

async function setEnabled(name: string, enabled: boolean): Promise<void> {
  await withAlertAdmin(async (admin) => {
    const policy = await admin.setEnabled(name, enabled)
    console.log(
      `Alert policy "${policy.name}" is ${enabled ? 'enabled' : 'disabled; its open alerts are resolved'}.`,
    )
    warnIfManaged(policy)
  })
}

async function deletePolicy(name: string, options: { yes?: true }, command: Command): Promise<void> {
  if (!options.yes && !(await confirm(`Delete the alert policy "${name}"?`, command))) return
  await withAlertAdmin(async (admin) => {
    const policy = await admin.delete(name)
    console.log(`Alert policy "${policy.name}" is deleted.`)
    warnIfManaged(policy)
  })
}
