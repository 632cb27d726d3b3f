import type { Command } from 'commander'
import { SECRET } from '../adapters/stored-settings.js'
import { readValue } from './ask.js'
import { withAdapterChanges, withWorkbench } from './context.js'
import { warnIfManaged } from './managed.js'
import { table } from './table.js'

export function addEnvCommands(program: Command): void {
  const env = program
    .command('env')
    .description('Environment variables: named values that adapters and notifiers refer to as @env(NAME).')
    .addHelpText(
      'after',
      `
A change reaches all running workers at once.

Examples:
  bpmn-relay env set KAFKA kafka-1.example.com:9092,kafka-2.example.com:9092
  bpmn-relay env set KAFKA_PASSWORD - --secret < password.txt
  bpmn-relay env list`,
    )

  env
    .command('set <name> <value>')
    .description('Make a variable or change it. The value "-" is read from standard input.')
    .option('--secret', 'keep it encrypted and never show it; a secret variable stays one when it is changed')
    .option('--no-secret', 'keep it readable, also if it was secret')
    .option('--description <text>', 'what it is for')
    .addHelpText(
      'after',
      `
Secrets are better not given on the command line, where shell histories and process lists keep them: use "-".
They need a master key: see BPMN_RELAY_MASTER_KEY in docs/configuration.md.

Examples:
  bpmn-relay env set KAFKA kafka.example.com:9092 --description 'brokers of the shop'
  bpmn-relay env set KAFKA_PASSWORD - --secret < password.txt`,
    )
    .action(setVariable)

  env
    .command('list')
    .description('Show all variables and what uses them.')
    .option('--json', 'as JSON')
    .action(listVariables)

  env
    .command('delete <name>')
    .description('Delete a variable that nothing uses.')
    .option('--force', 'delete it even if it is used; what uses it does not work until it is set again')
    .action(deleteVariable)
}

async function setVariable(
  name: string,
  given: string,
  options: { secret?: boolean; description?: string },
): Promise<void> {
  const value = given === '-' ? await readValue(name) : given
  await withAdapterChanges(async (changes, { store }) => {
    const known = (await store.variables()).find((variable) => variable.name === name)
    const secret = options.secret ?? known?.secret ?? false
    const description = options.description ?? known?.description ?? ''
    await changes.setVariable({ name, value, secret, description })
    console.log(`${secret ? 'Secret variable' : 'Variable'} ${name} is set.`)
    warnIfManaged(known)
  })
}

async function deleteVariable(name: string, options: { force?: true }): Promise<void> {
  await withAdapterChanges(async (changes, { store }) => {
    const known = (await store.variables()).find((variable) => variable.name === name)
    await changes.deleteVariable(name, { force: options.force ?? false })
    console.log(`Variable ${name} is deleted.`)
    warnIfManaged(known)
  })
}

async function listVariables(options: { json?: true }): Promise<void> {
  await withWorkbench(async ({ store }) => {
    const usersOf = await store.variableUsers()
    const variables = (await store.variables()).map(({ name, value, secret, description, managed }) => ({
      name,
      value: secret ? SECRET : value,
      secret,
      description,
      managed,
      usedBy: usersOf(name),
    }))
    if (options.json) console.log(JSON.stringify(variables, null, 2))
    else if (variables.length === 0)
      console.log('No variables yet: `bpmn-relay env set NAME VALUE` makes one.')
    else {
      const columns = ['NAME', 'VALUE', 'USED BY', 'DESCRIPTION'].map((title) => ({ title }))
      const rows = variables.map(({ name, value, usedBy, description }) => [
        name,
        value,
        usedBy.join(', '),
        description,
      ])
      console.log(table(columns, rows))
    }
  })
}
