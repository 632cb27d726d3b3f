import type { Command } from 'commander'
import type { Adapter } from '../adapters/adapter.js'
import { SERIALIZATIONS } from '../adapters/serialization/serializer.js'
import type { DriverRegistry } from '../brokers/registry.js'
import { confirm } from './ask.js'
import { withAdapterAdmin, withAdapterChanges, withWorkbench } from './context.js'
import { warnIfManaged } from './managed.js'
import { table } from './table.js'

export function addAdapterCommands(program: Command): void {
  const adapter = program
    .command('adapter')
    .description('Adapters: named connections that service tasks publish through.')

  adapter
    .command('create')
    .description('Make an adapter. Everything is checked before it is saved; nothing is connected.')
    .requiredOption('--name <name>', 'what service tasks call it by; unique')
    .requiredOption('--kind <kind>', 'kafka or rocketmq')
    .requiredOption('--address <address>', 'where the brokers are, host:port; may hold @env(NAME)')
    .option('--setting <path=value...>', 'a setting; see `bpmn-relay adapter settings KIND`')
    .option('--settings-file <file>', 'settings as a JSON object; --setting wins over it')
    .option('--key-serialization <how>', `one of ${SERIALIZATIONS.join(', ')} (default: string)`)
    .option('--value-serialization <how>', 'likewise (default: string)')
    .option('--description <text>', 'what it is for')
    .option('--no-audit', 'keep its calls out of the audit log')
    .option('--no-sla', 'keep its calls out of the SLA counters')
    .option('--log-results', 'write requests and results of its calls to the file log of the worker')
    .option('--disabled', 'make it disabled: jobs for it wait')
    .addHelpText(
      'after',
      `
Give secrets as references to secret variables, so that they stand in no shell history.

Examples:
  bpmn-relay adapter create --name orders --kind kafka --address kafka.example.com:9092
  bpmn-relay adapter create --name orders --kind kafka --address '@env(KAFKA)' \\
    --setting ssl.enabled=true --setting sasl.mechanism=scram-sha-512 \\
    --setting sasl.username=relay --setting 'sasl.password=@env(KAFKA_PASSWORD)'
  bpmn-relay adapter create --name facts --kind kafka --address '@env(KAFKA)' --value-serialization avro \\
    --setting 'schemaRegistry.url=@env(SCHEMA_REGISTRY)'
  bpmn-relay adapter create --name news --kind rocketmq --address '10.0.0.1:9876;10.0.0.2:9876'
  bpmn-relay adapter create --name news --kind rocketmq --address proxy:8081 --setting protocol=grpc`,
    )
    .action(createAdapter)

  adapter
    .command('settings <kind>')
    .description('Explain the settings of one kind of adapter: kafka or rocketmq.')
    .action(explainSettings)

  adapter.command('list').description('Show all adapters.').option('--json', 'as JSON').action(listAdapters)

  adapter
    .command('show <name>')
    .description('Show one adapter, by name or id. Secrets are not shown.')
    .option('--json', 'as JSON')
    .action(showAdapter)

  adapter
    .command('test <name>')
    .description('Connect to the brokers of an adapter, log in and ask them something.')
    .action(testAdapter)

  adapter
    .command('enable <name>')
    .description('Let jobs of an adapter through again.')
    .action((name: string) => setEnabled(name, true))

  adapter
    .command('disable <name>')
    .description('Hold the jobs of an adapter back, for maintenance; they go on once it is enabled.')
    .action((name: string) => setEnabled(name, false))

  adapter
    .command('delete <name>')
    .description('Delete an adapter, by name or id. Tasks that refer to it get an incident from then on.')
    .option('-y, --yes', 'delete without asking')
    .action(deleteAdapter)
}

interface CreateOptions {
  name: string
  kind: string
  address: string
  setting?: string[]
  settingsFile?: string
  keySerialization?: string
  valueSerialization?: string
  description?: string
  audit: boolean
  sla: boolean
  logResults?: true
  disabled?: true
}

async function createAdapter(options: CreateOptions): Promise<void> {
  const { parseSettings, readSettingsFile } = await import('./settings.js')
  const { driverOf } = await import('../brokers/registry.js')
  const { adapterSettingsSchema } = await import('../adapters/resolve-adapter.js')
  const fromFile = options.settingsFile === undefined ? {} : await readSettingsFile(options.settingsFile)
  await withAdapterChanges(async (changes, { registry }) => {
    const driver = driverOf(registry, options.kind)
    const { name, kind, address, description, keySerialization, valueSerialization } = options
    const adapter = await changes.createAdapter({
      name,
      kind,
      address,
      settings: parseSettings(
        options.setting ?? [],
        { kind, settings: adapterSettingsSchema(driver), explainedBy: `adapter settings ${kind}` },
        fromFile,
      ),
      ...(description !== undefined && { description }),
      ...(keySerialization !== undefined && { keySerialization }),
      ...(valueSerialization !== undefined && { valueSerialization }),
      auditRequests: options.audit,
      slaMonitoring: options.sla,
      logResults: options.logResults ?? false,
      enabled: !options.disabled,
    })
    console.log(`Adapter "${adapter.name}" is made: id ${adapter.id}.`)
  })
}

async function explainSettings(kind: string): Promise<void> {
  const { brokerDrivers, driverOf } = await import('../brokers/registry.js')
  const { adapterSettingsSchema } = await import('../adapters/resolve-adapter.js')
  const { explained } = await import('./settings.js')
  console.log(explained(adapterSettingsSchema(driverOf(brokerDrivers(), kind))))
}

async function listAdapters(options: { json?: true }): Promise<void> {
  await withWorkbench(async ({ store, registry }) => {
    const adapters = await store.adapters()
    if (options.json) {
      console.log(
        JSON.stringify(await Promise.all(adapters.map((each) => publicView(each, registry))), null, 2),
      )
    } else if (adapters.length === 0) {
      console.log('No adapters yet: `bpmn-relay adapter create --help` tells how to make one.')
    } else {
      const columns = ['NAME', 'KIND', 'ADDRESS', 'ENABLED', 'DESCRIPTION'].map((title) => ({ title }))
      const rows = adapters.map(({ name, kind, address, enabled, description }) => [
        name,
        kind,
        address,
        enabled ? 'yes' : 'no',
        description,
      ])
      console.log(table(columns, rows))
    }
  })
}

async function showAdapter(name: string, options: { json?: true }): Promise<void> {
  const { fieldTable } = await import('./settings.js')
  await withWorkbench(async ({ store, registry }) => {
    const view = await publicView(await store.adapter(name), registry)
    console.log(options.json ? JSON.stringify(view, null, 2) : fieldTable(view))
  })
}

/** An adapter as anyone may see it. */
async function publicView(adapter: Adapter, registry: DriverRegistry): Promise<Record<string, unknown>> {
  const { driverOf } = await import('../brokers/registry.js')
  const { publicSettings } = await import('../adapters/stored-settings.js')
  const { adapterSettingsSchema } = await import('../adapters/resolve-adapter.js')
  const { id, name, kind, address, description, keySerialization, valueSerialization } = adapter
  const { auditRequests, slaMonitoring, logResults, enabled, managed, revision } = adapter
  return {
    ...{ id, name, kind, address, description, enabled },
    settings: publicSettings(adapter.settings, adapterSettingsSchema(driverOf(registry, kind))),
    ...{ keySerialization, valueSerialization, auditRequests, slaMonitoring, logResults, managed, revision },
  }
}

async function testAdapter(name: string): Promise<void> {
  await withAdapterAdmin(name, async ({ adapter, connection }) => {
    const startedAt = performance.now()
    await connection().check()
    const ms = Math.round(performance.now() - startedAt)
    console.log(`Adapter "${adapter.name}" works: ${adapter.address} answered within ${ms} ms.`)
  })
}

async function setEnabled(name: string, enabled: boolean): Promise<void> {
  await withAdapterChanges(async ({ setAdapterEnabled }) => {
    const adapter = await setAdapterEnabled(name, enabled)
    console.log(`Adapter "${adapter.name}" is ${enabled ? 'enabled' : 'disabled: its jobs wait'}.`)
    warnIfManaged(adapter)
  })
}

async function deleteAdapter(name: string, options: { yes?: true }, command: Command): Promise<void> {
  if (!options.yes && !(await confirm(`Delete the adapter "${name}"?`, command))) return
  await withAdapterChanges(async ({ deleteAdapter }) => {
    const deleted = await deleteAdapter(name)
    console.log(`Adapter "${deleted.name}" is deleted.`)
    warnIfManaged(deleted)
  })
}
