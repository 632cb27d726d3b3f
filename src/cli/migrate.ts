import type { Command } from 'commander'
import { wholeNumber } from './arguments.js'
import { confirm } from './ask.js'
import { readContext } from './context.js'

export function addMigrateCommand(program: Command): void {
  program
    .command('migrate')
    .description('Bring the database schema up to date, or take the newest migrations back.')
    .option('--down <count>', 'take back this many migrations; their data is lost', wholeNumber(1, 1000))
    .option('-y, --yes', 'take back without asking')
    .addHelpText(
      'after',
      `
All other commands migrate by themselves; this one is for deployments that do it as a step of their own. It is safe to
run from several places at once.

Examples:
  bpmn-relay migrate
  bpmn-relay migrate --down 1`,
    )
    .action(async (options: { down?: number; yes?: true }, command: Command) => {
      const { down } = options
      if (down !== undefined) {
        const question = `Take back the newest ${down === 1 ? 'migration' : `${down} migrations`} and lose ${down === 1 ? 'its' : 'their'} data?`
        if (!options.yes && !(await confirm(question, command))) return
      }
      const { config, log } = await readContext()
      const { openConfiguredDatabase } = await import('../db/default-database.js')
      const { migrate, migrateDown } = await import('../db/migrate.js')
      const database = await openConfiguredDatabase(config, log)
      try {
        if (down === undefined) {
          const done = await migrate(database, log)
          console.log(done.length === 0 ? 'The schema is up to date.' : `Migrations run: ${done.length}.`)
        } else {
          console.log(`Migrations taken back: ${await migrateDown(database, down)}.`)
        }
      } finally {
        await database.close()
      }
    })
}
