import { type Command, Option } from 'commander'
import type { Acl, AclFilter } from '../brokers/operator.js'
import { confirm } from './ask.js'
import { withAdapterAdmin } from './context.js'
import { table } from './table.js'

const WORDS = `
Operations: all, read, write, create, delete, alter, describe, cluster-action, describe-configs, alter-configs,
idempotent-write.
`
/** The only name a resource of type cluster can have. */
const CLUSTER_NAME = 'kafka-cluster'

export function addAclCommands(program: Command): void {
  const acl = program
    .command('acl')
    .description('Access control lists (ACLs) of the brokers behind an adapter: who may do what.')

  withFilter(acl.command('list'))
    .description('Show ACLs, all or those that match all options given.')
    .option('--json', 'as JSON')
    .addHelpText('after', WORDS)
    .action(listAcls)

  withResource(acl.command('create'))
    .description('Allow or deny a principal operations on a resource.')
    .requiredOption('--principal <type:name>', 'who, such as User:alice or User:*')
    .requiredOption('--operation <operation...>', 'what; one or many')
    .option('--host <address>', 'from where', '*')
    .addOption(
      new Option('--permission <permission>', 'allow or deny').choices(['allow', 'deny']).default('allow'),
    )
    .addOption(
      new Option('--pattern <pattern>', 'whether the name is the whole name or the beginning of names')
        .choices(['literal', 'prefixed'])
        .default('literal'),
    )
    .addHelpText(
      'after',
      `${WORDS}
Examples:
  bpmn-relay acl create --adapter orders-kafka --principal User:relay --operation write describe --topic orders
  bpmn-relay acl create --adapter orders-kafka --principal User:shop --operation read --group shop- --pattern prefixed`,
    )
    .action(createAcls)

  withFilter(acl.command('delete'))
    .description('Delete the ACLs that match all options given; at least one besides the adapter.')
    .option('-y, --yes', 'delete without asking')
    .addHelpText(
      'after',
      `${WORDS}
Example:
  bpmn-relay acl delete --adapter orders-kafka --principal User:relay --topic orders`,
    )
    .action(deleteAcls)
}

interface ResourceOptions {
  adapter: string
  topic?: string
  group?: string
  transactionalId?: string
  cluster?: true
}

function withResource(command: Command): Command {
  return command
    .requiredOption('--adapter <name>', 'the adapter to go through, by name or id')
    .addOption(new Option('--topic <name>', 'on a topic').conflicts(['group', 'transactionalId', 'cluster']))
    .addOption(new Option('--group <id>', 'on a consumer group').conflicts(['transactionalId', 'cluster']))
    .addOption(new Option('--transactional-id <id>', 'on a transactional id').conflicts('cluster'))
    .option('--cluster', 'on the cluster')
}

function withFilter(command: Command): Command {
  return withResource(command)
    .option('--principal <type:name>', 'of this principal, such as User:alice')
    .option('--host <address>', 'for this host')
    .option('--operation <operation>', 'for this operation')
    .addOption(new Option('--permission <permission>', 'that do this').choices(['allow', 'deny']))
    .addOption(new Option('--pattern <pattern>', 'with names meant so').choices(['literal', 'prefixed']))
}

function resourceOf(options: ResourceOptions): Pick<Acl, 'resourceType' | 'resourceName'> | undefined {
  const { topic, group, transactionalId, cluster } = options
  if (topic !== undefined) return { resourceType: 'topic', resourceName: topic }
  if (group !== undefined) return { resourceType: 'group', resourceName: group }
  if (transactionalId !== undefined)
    return { resourceType: 'transactional-id', resourceName: transactionalId }
  return cluster ? { resourceType: 'cluster', resourceName: CLUSTER_NAME } : undefined
}

type FilterOptions = ResourceOptions &
  Pick<AclFilter, 'principal' | 'host' | 'operation' | 'permission' | 'pattern'>

function filterFrom(options: FilterOptions): AclFilter {
  const { principal, host, operation, permission, pattern } = options
  return { principal, host, operation, permission, pattern, ...resourceOf(options) }
}

async function listAcls(options: FilterOptions & { json?: true }): Promise<void> {
  await withAdapterAdmin(options.adapter, async (admin) => {
    const acls = await admin.can('listAcls')(filterFrom(options))
    if (options.json) console.log(JSON.stringify(acls, null, 2))
    else if (acls.length === 0) console.log('No ACLs match.')
    else console.log(aclTable(acls))
  })
}

type CreateOptions = ResourceOptions &
  Pick<Acl, 'principal' | 'host' | 'permission' | 'pattern'> & { operation: string[] }

async function createAcls(options: CreateOptions, command: Command): Promise<void> {
  const { principal, host, permission, pattern } = options
  const resource = resourceOf(options)
  if (!resource) {
    command.error('error: on what is missing: give --topic, --group, --transactional-id or --cluster')
    return
  }
  await withAdapterAdmin(options.adapter, async (admin) => {
    const create = admin.can('createAcl')
    for (const operation of options.operation) {
      const acl = { principal, host, operation, permission, pattern, ...resource }
      const destination = `${resource.resourceType} ${resource.resourceName}`
      await admin.audited({ operation: 'acl.create', destination, request: acl }, () => create(acl))
      console.log(`ACL is made: ${sentence(acl)}.`)
    }
  })
}

async function deleteAcls(options: FilterOptions & { yes?: true }, command: Command): Promise<void> {
  const filter = filterFrom(options)
  if (Object.values(filter).every((value) => value === undefined)) {
    command.error('error: that would be all ACLs: give at least one option besides --adapter')
  }
  await withAdapterAdmin(options.adapter, async (admin) => {
    if (!options.yes) {
      const matching = await admin.can('listAcls')(filter)
      if (matching.length > 0) console.error(aclTable(matching))
      if (!(await confirm(`Delete ${matching.length} ACLs?`, command))) return
    }
    const remove = admin.can('deleteAcls')
    const destination =
      filter.resourceType === undefined ? null : `${filter.resourceType} ${filter.resourceName}`
    const deleted = await admin.audited({ operation: 'acl.delete', destination, request: filter }, () =>
      remove(filter),
    )
    console.log(deleted.length === 0 ? 'No ACLs match.' : `ACLs deleted: ${deleted.length}.`)
  })
}

function sentence({
  permission,
  principal,
  operation,
  resourceType,
  resourceName,
  pattern,
  host,
}: Acl): string {
  const names = pattern === 'prefixed' ? `${resourceName}…` : resourceName
  return `${permission} ${principal} to ${operation} on ${resourceType} ${names} from ${host}`
}

function aclTable(acls: readonly Acl[]): string {
  const columns = ['PRINCIPAL', 'PERMISSION', 'OPERATION', 'RESOURCE', 'NAME', 'PATTERN', 'HOST']
  const rows = acls.map((acl) => [
    acl.principal,
    acl.permission,
    acl.operation,
    acl.resourceType,
    acl.resourceName,
    acl.pattern,
    acl.host,
  ])
  return table(
    columns.map((title) => ({ title })),
    rows,
  )
}
