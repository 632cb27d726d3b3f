import type { Command } from 'commander'
import { withAdapterAdmin } from './context.js'
import { table } from './table.js'

export function addClusterCommands(program: Command): void {
  program
    .command('cluster')
    .description('The brokers behind an adapter.')
    .command('describe')
    .description('Show the brokers, and which of them is the controller (Kafka) or a master (RocketMQ).')
    .requiredOption('--adapter <name>', 'the adapter to go through, by name or id')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Example:
  bpmn-relay cluster describe --adapter orders-kafka`,
    )
    .action(describeCluster)
}

async function describeCluster(options: { adapter: string; json?: true }): Promise<void> {
  await withAdapterAdmin(options.adapter, async (admin) => {
    const cluster = await admin.can('describeCluster')()
    if (options.json) {
      console.log(JSON.stringify(cluster, null, 2))
      return
    }
    console.log(`Cluster ${cluster.clusterId ?? '(without an id)'}\n`)
    const hasRoles = cluster.brokers.some(({ role }) => role !== undefined)
    const titles = ['BROKER', 'ADDRESS', ...(hasRoles ? ['ROLE', 'VERSION'] : ['CONTROLLER'])]
    const rows = cluster.brokers.map(({ id, address, role, version }) => [
      id,
      address,
      ...(hasRoles ? [role ?? '-', version ?? '(no answer)'] : [id === cluster.controller ? 'yes' : '']),
    ])
    console.log(
      table(
        titles.map((title) => ({ title })),
        rows,
      ),
    )
  })
}
