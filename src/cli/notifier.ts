import type { Command } from 'commander'
import type { NotifierAdmin } from '../admin/notifier-admin.js'
import { confirm } from './ask.js'
import { withAdminContext } from './context.js'
import { warnIfManaged } from './managed.js'
import { table } from './table.js'

export function addNotifierCommands(program: Command): void {
  const notifier = program
    .command('notifier')
    .description('Notifiers: where alerts are told. Alert policies name them.')

  notifier
    .command('create')
    .description('Make a notifier. Everything is checked before it is saved; nothing is connected.')
    .requiredOption('--name <name>', 'what alert policies call it by; unique')
    .requiredOption('--kind <kind>', 'webhook, mail or log')
    .option('--setting <path=value...>', 'a setting; see `bpmn-relay notifier settings KIND`')
    .option('--settings-file <file>', 'settings as a JSON object; --setting wins over it')
    .option('--description <text>', 'what it is for')
    .option('--disabled', 'make it disabled: notices for it are not delivered')
    .addHelpText(
      'after',
      `
Give secrets, and URLs of chat services are such, as references to secret variables, so that they stand in no shell
history. docs/notifiers.md tells where each service has its URL.

Examples:
  bpmn-relay env set OPS_ROBOT - --secret < robot-url.txt
  bpmn-relay notifier create --name ops --kind webhook --setting preset=dingtalk language=zh \\
    timeZone=Asia/Shanghai 'url=@env(OPS_ROBOT)' 'secret=@env(OPS_ROBOT_SECRET)'
  bpmn-relay notifier create --name duty --kind mail --setting host=smtp.example.com user=relay \\
    'password=@env(SMTP_PASSWORD)' from=relay@example.com to=duty@example.com,ops@example.com
  bpmn-relay notifier test ops`,
    )
    .action(createNotifier)

  notifier
    .command('settings <kind>')
    .description('Explain the settings of one kind of notifier: webhook, mail or log.')
    .action(explainSettings)

  notifier
    .command('list')
    .description('Show all notifiers.')
    .option('--json', 'as JSON')
    .action(listNotifiers)

  notifier
    .command('show <name>')
    .description('Show one notifier, by name or id. Secrets are not shown.')
    .option('--json', 'as JSON')
    .action(showNotifier)

  notifier
    .command('test <name>')
    .description('Deliver a test notice, by a disabled notifier too, and say what came of it.')
    .action(testNotifier)

  notifier
    .command('update <name>')
    .description('Change settings or description of a notifier; what is not given stays as it is.')
    .option('--setting <path=value...>', 'a setting; see `bpmn-relay notifier settings KIND`')
    .option('--unset <path...>', 'take a setting away; its default counts again')
    .option('--description <text>', 'what it is for')
    .addHelpText(
      'after',
      `
Example:
  bpmn-relay notifier update ops --setting timeoutMs=5000 --unset headers.X-Team`,
    )
    .action(updateNotifier)

  notifier
    .command('enable <name>')
    .description('Let notices through again.')
    .action((name: string) => setEnabled(name, true))

  notifier
    .command('disable <name>')
    .description('Deliver no notices; those of meanwhile are not delivered later.')
    .action((name: string) => setEnabled(name, false))

  notifier
    .command('delete <name>')
    .description('Delete a notifier that no alert policy names, by name or id.')
    .option('-y, --yes', 'delete without asking')
    .action(deleteNotifier)
}

interface CreateOptions {
  name: string
  kind: string
  setting?: string[]
  settingsFile?: string
  description?: string
  disabled?: true
}

async function createNotifier(options: CreateOptions): Promise<void> {
  const { parseSettings, readSettingsFile } = await import('./settings.js')
  const fromFile = options.settingsFile === undefined ? {} : await readSettingsFile(options.settingsFile)
  const settings = parseSettings(options.setting ?? [], await formOf(options.kind), fromFile)
  await withNotifiers(async ({ create }) => {
    const { name, kind, description } = options
    const { id } = await create({
      name,
      kind,
      settings,
      enabled: !options.disabled,
      ...(description !== undefined && { description }),
    })
    console.log(`Notifier "${name}" is made: id ${id}. \`bpmn-relay notifier test ${name}\` tries it.`)
  })
}

async function updateNotifier(
  idOrName: string,
  options: { setting?: string[]; unset?: string[]; description?: string },
  command: Command,
): Promise<void> {
  const { setting = [], unset = [], description } = options
  if (setting.length + unset.length === 0 && description === undefined) {
    command.error('error: nothing to change: give --setting, --unset or --description')
  }
  const { parseSettings, withoutSettings } = await import('./settings.js')
  await withNotifiers(async ({ store, update }) => {
    const notifier = await store.notifier(idOrName)
    const kept = withoutSettings(notifier.settings, unset)
    await update(notifier, {
      ...(setting.length + unset.length > 0 && {
        settings: parseSettings(setting, await formOf(notifier.kind), kept),
      }),
      ...(description !== undefined && { description }),
    })
    console.log(`Notifier "${notifier.name}" is changed.`)
    warnIfManaged(notifier)
  })
}

async function explainSettings(kind: string): Promise<void> {
  const { explained } = await import('./settings.js')
  const { settings } = await formOf(kind)
  console.log(explained(settings) || `Notifiers of kind ${kind} have no settings.`)
}

async function listNotifiers(options: { json?: true }): Promise<void> {
  const { publicNotifier } = await import('../alerts/notifiers/store.js')
  await withNotifiers(async ({ store }) => {
    const notifiers = (await store.notifiers()).map(publicNotifier)
    if (options.json) {
      console.log(JSON.stringify(notifiers, null, 2))
    } else if (notifiers.length === 0) {
      console.log('No notifiers yet: `bpmn-relay notifier create --help` tells how to make one.')
    } else {
      const columns = ['NAME', 'KIND', 'ENABLED', 'DESCRIPTION'].map((title) => ({ title }))
      const rows = notifiers.map(({ name, kind, enabled, description }) => [
        name,
        kind,
        enabled ? 'yes' : 'no',
        description,
      ])
      console.log(table(columns, rows))
    }
  })
}

async function showNotifier(name: string, options: { json?: true }): Promise<void> {
  const { publicNotifier } = await import('../alerts/notifiers/store.js')
  const { fieldTable } = await import('./settings.js')
  await withNotifiers(async ({ store }) => {
    const view = publicNotifier(await store.notifier(name))
    console.log(options.json ? JSON.stringify(view, null, 2) : fieldTable(view))
  })
}

async function testNotifier(name: string): Promise<void> {
  await withNotifiers(async ({ test }) => {
    const startedAt = performance.now()
    const problems = await test(name)
    const ms = Math.round(performance.now() - startedAt)
    console.log(`Notifier "${name}" delivered a test notice within ${ms} ms.`)
    for (const problem of problems) console.error(`But ${problem}.`)
  })
}

async function setEnabled(name: string, enabled: boolean): Promise<void> {
  await withNotifiers(async (notifiers) => {
    const notifier = await notifiers.setEnabled(name, enabled)
    console.log(
      `Notifier "${notifier.name}" is ${enabled ? 'enabled' : 'disabled: notices for it are not delivered'}.`,
    )
    warnIfManaged(notifier)
  })
}

async function deleteNotifier(name: string, options: { yes?: true }, command: Command): Promise<void> {
  if (!options.yes && !(await confirm(`Delete the notifier "${name}"?`, command))) return
  await withNotifiers(async (notifiers) => {
    const deleted = await notifiers.delete(name)
    console.log(`Notifier "${deleted.name}" is deleted.`)
    warnIfManaged(deleted)
  })
}

async function withNotifiers(use: (notifiers: NotifierAdmin) => Promise<void>): Promise<void> {
  const { createNotifierAdmin } = await import('../admin/notifier-admin.js')
  await withAdminContext((context) => use(createNotifierAdmin(context)))
}

async function formOf(kind: string) {
  const { notifierKind } = await import('../alerts/notifiers/kinds.js')
  return { kind, settings: notifierKind(kind).settings, explainedBy: `notifier settings ${kind}` }
}
