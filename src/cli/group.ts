import type { Command } from 'commander'
import type { GroupDescription } from '../brokers/operator.js'
import { confirm } from './ask.js'
import { withAdapterAdmin } from './context.js'
import { table } from './table.js'

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

function groupText({ group, state, members, partitions }: GroupDescription): string {
  const head = `Group ${group}, state ${state}, members ${members.length}`
  if (partitions.length === 0) return `${head}\n\nNothing is committed or assigned.`
  const byId = new Map(members.map((member) => [member.memberId, member]))
  const columns = [
    { title: 'TOPIC' },
    { title: 'PARTITION', align: 'right' },
    { title: 'COMMITTED', align: 'right' },
    { title: 'END', align: 'right' },
    { title: 'LAG', align: 'right' },
    { title: 'CLIENT' },
    { title: 'HOST' },
  ] as const
  const rows = partitions.map(({ topic, partition, committedOffset, endOffset, lag, memberId }) => {
    const member = memberId === null ? undefined : byId.get(memberId)
    return [
      topic,
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
