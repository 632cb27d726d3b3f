import { type Command, Option } from 'commander'
import type { AdminContext } from '../admin/adapter-admin.js'
import type { StartPosition } from '../brokers/operator.js'
import { TRIGGER_STATES, type Trigger, type TriggerState } from '../trigger/trigger.js'
import { TRIGGER_DEFAULTS } from '../trigger/trigger-defaults.js'
import { wholeNumber } from './arguments.js'
import { confirm } from './ask.js'
import { parsePosition } from './consume.js'
import { withTriggerAdmin, withWorkbench } from './context.js'
import { warnIfManaged } from './managed.js'
import { table } from './table.js'
import {
  type SettingOptions,
  settingsOf,
  withRemovingOptions,
  withSettingOptions,
} from './trigger-options.js'
import { actionText, adapterNames, moveText, showTrigger, topicsText } from './trigger-show.js'

const WORDS = `
A trigger does one thing with each message: it starts a process, correlates a BPMN message, or forwards it. Expressions
are FEEL over {key, value, rawValue, headers, topic, partition, offset, timestamp}. Durations are milliseconds, or such
as 90s, 30m or PT1H. What keeps its order: nothing, messages of one key (RocketMQ: message group), or whole partitions.
A message is done when the engine has accepted it, when its process has completed, or once it is received: what a
worker has in hand is then lost with it. docs/triggers.md explains all settings, what is guaranteed, and dead letters.
`

export function addTriggerCommands(program: Command): void {
  const trigger = program
    .command('trigger')
    .description(
      'Triggers: messages of a topic that start or continue processes, or go on to another broker.',
    )

  trigger.command('list').description('Show all triggers.').option('--json', 'as JSON').action(listTriggers)

  trigger
    .command('show <name>')
    .description('Show one trigger, by name or id: its settings, its workers, and how far it has read.')
    .option('--json', 'as JSON')
    .action(showTrigger)

  withSettingOptions(trigger.command('create').requiredOption('--name <name>', 'what it is called; unique'))
    .description('Make a trigger. Everything is checked before it is saved.')
    .option(
      '--startup <position>',
      'where it begins: group-offsets, earliest, latest, specific-offsets or date; default: group-offsets',
    )
    .option('--startup-offset <offset...>', 'with specific-offsets: such as "user-topic/0: 91"')
    .option('--startup-date <time>', 'with date: the time of the first message, such as 2026-01-31T08:00:00Z')
    .addOption(
      new Option('--state <state>', `what it is to do at once; default: ${TRIGGER_DEFAULTS.state}`).choices(
        TRIGGER_STATES,
      ),
    )
    .addHelpText(
      'after',
      `${WORDS}
Examples:
  bpmn-relay trigger create --name orders-in --adapter orders --topic orders --start order-received
  bpmn-relay trigger create --name paid --adapter orders --topic payments --message payment-received \\
    --correlation-key '=value.orderId' --condition '=value.amount > 0' --variables '={amount: value.amount}'
  bpmn-relay trigger create --name copy --adapter orders --topic-pattern 'eu-.*' --forward news \\
    --startup specific-offsets --startup-offset 'eu-orders/0: 91' 'eu-orders/1: 11'`,
    )
    .action(makeTrigger)

  withRemovingOptions(
    withSettingOptions(trigger.command('update <name>').option('--name <name>', 'another name')),
  )
    .description(
      'Change what is given of a trigger, by name or id. It takes effect at once, without a restart.',
    )
    .addHelpText(
      'after',
      `${WORDS}
Options that may be repeated replace all there was. The group stays the same unless --group is given.

Examples:
  bpmn-relay trigger update orders-in --concurrency 50 --max-attempts 10
  bpmn-relay trigger update paid --ttl 1d --no-condition`,
    )
    .action(changeTrigger)

  for (const [verb, state, text] of [
    ['pause', 'paused', 'Take no more messages, and stay in the group.'],
    ['resume', 'running', 'Take messages again, from where it stands.'],
    ['stop', 'stopped', 'Take no more messages, and leave the group.'],
  ] as const) {
    trigger
      .command(`${verb} <name>`)
      .description(text)
      .action((name: string) => changeState(name, state))
  }

  trigger
    .command('seek <name>')
    .description('Have a trigger go on elsewhere in its topics. It stops to consume for a moment.')
    .requiredOption(
      '--to <position>',
      'earliest, latest, an offset, or a time: 2026-01-31T08:00:00Z, or 30m, 1h, 7d ago',
      parsePosition,
    )
    .option('--topic <topic>', 'of this topic only; default: all it listens to')
    .option(
      '--partition <number...>',
      'of these partitions (RocketMQ: queues) only; default: all',
      collectNumbers,
    )
    .option('-y, --yes', 'move without asking')
    .addHelpText(
      'after',
      `
Messages it goes back to are handled once more; those it skips never are. Where a partition does not hold the offset,
the trigger goes on at its initial offset.

Examples:
  bpmn-relay trigger seek orders-in --to 2h
  bpmn-relay trigger seek orders-in --to 91 --topic orders --partition 0`,
    )
    .action(seek)

  trigger
    .command('delete <name>')
    .description(
      'Delete a trigger, by name or id. Its dead letters stay, and so do the offsets of its group.',
    )
    .option('-y, --yes', 'delete without asking')
    .action(deleteTrigger)
}

async function listTriggers(options: { json?: true }): Promise<void> {
  const { triggers } = await import('../trigger/triggers.js')
  await withWorkbench(async ({ database, store }) => {
    const all = await triggers(database)
    if (options.json) console.log(JSON.stringify(all, null, 2))
    else if (all.length === 0) {
      console.log('No triggers yet: `bpmn-relay trigger create --help` tells how to make one.')
    } else {
      const nameOf = adapterNames(await store.adapters())
      const columns = ['NAME', 'STATE', 'ADAPTER', 'TOPICS', 'ACTION', 'GROUP', 'DESCRIPTION']
      const rows = all.map((trigger) => [
        trigger.name,
        trigger.pendingMoves.length > 0 ? `${trigger.state}, to be moved` : trigger.state,
        nameOf(trigger.adapterId),
        topicsText(trigger),
        actionText(trigger.action, nameOf),
        trigger.group,
        trigger.description,
      ])
      console.log(
        table(
          columns.map((title) => ({ title })),
          rows,
        ),
      )
    }
  })
}

const partitionNumber = wholeNumber(0, 2 ** 31 - 1)
const collectNumbers = (text: string, earlier: number[] = []): number[] => [...earlier, partitionNumber(text)]

async function makeTrigger(
  options: SettingOptions & {
    name: string
    startup?: string
    startupOffset?: string[]
    startupDate?: string
    state?: TriggerState
  },
  command: Command,
): Promise<void> {
  const { parseOffsets, startupMoves } = await import('../trigger/positions.js')
  const { startup: type, startupOffset: offsets, startupDate: date, state } = options
  const moves = startupMoves({ type, offsets: offsets && parseOffsets(offsets), date })
  await withTriggerAdmin(async (admin, context) => {
    const given = await settingsOf(options, undefined, (name) => context.store.adapter(name), command)
    const { adapterId, action } = given
    if (adapterId === undefined || action === undefined) {
      command.error('error: give --adapter, and one of --start, --message and --forward')
    }
    const made = await admin.create(
      { ...given, name: options.name, adapterId, action, ...(state !== undefined && { state }) },
      { moves },
    )
    console.log(
      `Trigger "${made.name}" is made${made.state === 'running' ? '' : `, ${made.state}`}: id ${made.id}.`,
    )
    await warn(context, made)
  })
}

async function changeTrigger(name: string, options: SettingOptions, command: Command): Promise<void> {
  const { trigger } = await import('../trigger/triggers.js')
  await withTriggerAdmin(async (admin, context) => {
    const { id, action } = await trigger(context.database, name)
    const changes = await settingsOf(options, action, (adapter) => context.store.adapter(adapter), command)
    const changed = await admin.update(id, changes)
    console.log(`Trigger "${changed.name}" is changed.`)
    warnIfManaged(changed)
    await warn(context, changed)
  })
}

async function warn(context: AdminContext, trigger: Trigger): Promise<void> {
  const { triggerWarnings } = await import('../admin/trigger-report.js')
  for (const warning of await triggerWarnings(context, trigger)) console.error(`Warning: ${warning}.`)
}

async function changeState(name: string, state: TriggerState): Promise<void> {
  await withTriggerAdmin(async (admin) => {
    const trigger = await admin.setState(name, state)
    console.log(`Trigger "${trigger.name}" is ${state}${STATE_TEXT[state]}.`)
    warnIfManaged(trigger)
  })
}

const STATE_TEXT = {
  running: '',
  paused: ': its workers stay in the group and take nothing',
  stopped: ': its workers leave the group',
} as const satisfies Record<TriggerState, string>

async function seek(
  name: string,
  options: { to: StartPosition; topic?: string; partition?: number[]; yes?: true },
  command: Command,
): Promise<void> {
  const { positionText } = await import('../trigger/positions.js')
  const { to, topic, partition: partitions } = options
  if (to.at === 'offset' && partitions === undefined) {
    command.error('error: each partition has its own offsets: add --partition')
  }
  const move = { to, topic, partitions }
  const question = `Move the group of trigger "${name}": ${moveText(move, positionText(to))}?`
  if (!options.yes && !(await confirm(question, command))) return
  await withTriggerAdmin(async (admin) => {
    const trigger = await admin.seek(name, move)
    console.log(
      `Trigger "${trigger.name}" goes on at ${positionText(to)} as soon as its group is moved: \`bpmn-relay trigger show "${trigger.name}"\` tells.`,
    )
  })
}

async function deleteTrigger(name: string, options: { yes?: true }, command: Command): Promise<void> {
  if (!options.yes && !(await confirm(`Delete the trigger "${name}"?`, command))) return
  await withTriggerAdmin(async (admin) => {
    const trigger = await admin.delete(name)
    console.log(
      `Trigger "${trigger.name}" is deleted. Its consumer group ${trigger.group} keeps its offsets.`,
    )
    warnIfManaged(trigger)
  })
}
