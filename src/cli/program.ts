import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../core/package-root.js'
import { addAclCommands } from './acl.js'
import { addAdapterCommands } from './adapter.js'
import { addAlertCommands } from './alert.js'
import { addApplyCommand } from './apply.js'
import { addAuditCommands } from './audit.js'
import { addClusterCommands } from './cluster.js'
import { addConsumeCommand } from './consume.js'
import { addDeadLetterCommands } from './dead-letter.js'
import { addDemoCommand } from './demo.js'
import { addEnvCommands } from './env.js'
import { addExportCommand } from './export.js'
import { addGroupCommands } from './group.js'
import { addMessageCommands } from './message.js'
import { addMigrateCommand } from './migrate.js'
import { addNotifierCommands } from './notifier.js'
import { addProduceCommand } from './produce.js'
import { addSlaCommands } from './sla.js'
import { addStackCommands } from './stack.js'
import { addStartCommand } from './start.js'
import { addTopicCommands } from './topic.js'
import { addTraceCommand } from './trace.js'
import { addTriggerCommands } from './trigger.js'

/** All commands. Each loads what it needs only when it runs, so that help and short commands answer at once. */
export function createProgram(): Command {
  const program = new Command('bpmn-relay')
    .description(
      'Publishes service tasks of BPMN processes (Zeebe, Camunda 8) to Apache Kafka and Apache RocketMQ.\n' +
        'Every call is recorded in the audit log and counted.',
    )
    .version(version())
    .exitOverride()
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .showHelpAfterError('Add --help for the options and examples.')
    .addHelpText(
      'after',
      `
Configuration comes from environment variables, such as DATABASE_URL and ZEEBE_ADDRESS; docs/configuration.md lists
them. Without DATABASE_URL an embedded Postgres in .bpmn-relay/ is used.

Exit codes: 0 done, 1 failed (the message begins with a code that docs/errors.md explains), 2 wrongly used.

Examples:
  bpmn-relay env set KAFKA kafka.example.com:9092
  bpmn-relay adapter create --name orders --kind kafka --address '@env(KAFKA)'
  ZEEBE_ADDRESS=zeebe.example.com:26500 bpmn-relay start
  bpmn-relay audit list --since 1h --status failed`,
    )
  addStartCommand(program)
  addMigrateCommand(program)
  addAdapterCommands(program)
  addEnvCommands(program)
  addApplyCommand(program)
  addExportCommand(program)
  addAuditCommands(program)
  addTraceCommand(program)
  addSlaCommands(program)
  addAlertCommands(program)
  addNotifierCommands(program)
  addClusterCommands(program)
  addTopicCommands(program)
  addAclCommands(program)
  addGroupCommands(program)
  addProduceCommand(program)
  addConsumeCommand(program)
  addMessageCommands(program)
  addTriggerCommands(program)
  addDeadLetterCommands(program)
  addStackCommands(program)
  addDemoCommand(program)
  return program
}

function version(): string {
  const description: unknown = JSON.parse(readFileSync(path.join(packageRoot(), 'package.json'), 'utf8'))
  const isKnown = description !== null && typeof description === 'object' && 'version' in description
  return isKnown ? String(description.version) : 'unknown'
}
