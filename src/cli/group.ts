import type { Command } from 'commander'
import type { GroupDescription } from '../brokers/operator.js'
import { confirm } from './ask.js'
import { withAdapterAdmin } from './context.js'
import { table } from './table.js'

const PARTITION = { title: 'PARTITION', align: 'right' } as const
const ADAPTER = ['--adapter <name>', 'the adapter to go through, by name or id'] as const

export function addGroupCommands(program: Command): void {
  const group = program
    .command('group')
    .description('Consumer groups of the brokers behind an adapter: how far they have read.')

  group
    .command('list')
    .description('Show all consumer groups.')
    .requiredOption(...ADAPTER)
    .option('--json', 'as JSON')
    .action(listGroups)

  group
    .command('describe <group>')
    .description('Show the offsets of a group, how many messages it lags behind, and its members.')
    .requiredOption(...ADAPTER)
    .option('--json', 'as JSON')
    .action(describeGroup)

  group
    .command('delete <group>')
    .description('Delete a group that has no members, with its offsets.')
    .requiredOption(...ADAPTER)
    .option('-y, --yes', 'delete without asking')
    .action(deleteGroup)
}

async function listGroups(options: { adapter: string; json?: true }): Promise<void> {
  await withAdapterAdmin(options.adapter, async (admin) => {
    const groups = await admin.can('listGroups')()
    if (options.json) console.log(JSON.stringify(groups, null, 2))
    else if (groups.length === 0) console.log('No consumer groups.')
    else {
      const columns = [{ title: 'GROUP' }, { title: 'STATE' }, { title: 'MEMBERS', align: 'right' }] as const
      console.log(
        table(
          columns,
          groups.map((each) => [each.group, each.state, String(each.members)]),
        ),
      )
    }
  })
}

async function describeGroup(group: string, options: { adapter: string; json?: true }): Promise<void> {
  await withAdapterAdmin(options.adapter, async (admin) => {
    const description = await admin.can('describeGroup')(group)
    if (options.json) console.log(JSON.stringify(description, null, 2))
    else console.log(groupText(description))
  })
}

function groupText(description: GroupDescription): string {
  const { partitions, members } = description
  const head = headText(description)
  if (partitions.length === 0) return `${head}\n\nNothing is committed or assigned.`
  const hasBrokers = partitions.some(({ broker }) => broker !== undefined)
  const byId = new Map(members.map((member) => [member.memberId, member]))
  const columns = [
    { title: 'TOPIC' },
    ...(hasBrokers ? [{ title: 'BROKER' }, { title: 'QUEUE', align: 'right' } as const] : [PARTITION]),
    { title: 'COMMITTED', align: 'right' },
    { title: 'END', align: 'right' },
    { title: 'LAG', align: 'right' },
    { title: 'CLIENT' },
    { title: 'HOST' },
  ] as const
  const rows = partitions.map(({ topic, broker, partition, committedOffset, endOffset, lag, memberId }) => {
    const member = memberId === null ? undefined : byId.get(memberId)
    return [
      topic,
      ...(hasBrokers ? [broker ?? '-'] : []),
      String(partition),
      committedOffset ?? '-',
      endOffset ?? '-',
      lag ?? '-',
      member?.clientId ?? '-',
      member?.host ?? '-',
    ]
  })
  return `${head}\n\n${table(columns, rows)}`
}

function headText({ group, state, mode, members, subscriptions = [], partitions }: GroupDescription): string {
  const lags = partitions.flatMap(({ lag }) => (lag === null ? [] : [BigInt(lag)]))
  const parts = [
    `Group ${group}`,
    `state ${state}`,
    ...(mode ? [mode] : []),
    `members ${members.length}`,
    ...(lags.length > 0 ? [`lag ${lags.reduce((sum, lag) => sum + lag, 0n)}`] : []),
  ]
  const filters = subscriptions.map(({ topic, filter }) => `Subscribed to ${topic}, filter ${filter}`)
  return [parts.join(', '), ...filters].join('\n')
}

async function deleteGroup(
  group: string,
  options: { adapter: string; yes?: true },
  command: Command,
): Promise<void> {
  const question = `Delete the consumer group "${group}" of adapter "${options.adapter}" with its offsets?`
  if (!options.yes && !(await confirm(question, command))) return
  await withAdapterAdmin(options.adapter, async (admin) => {
    const remove = admin.can('deleteGroup')
    await admin.audited({ operation: 'group.delete', destination: group }, () => remove(group))
    console.log(`Consumer group ${group} is deleted.`)
  })
}
