import type { Command } from 'commander'
import type { Chosen } from '../modules/export.js'
import type { SectionKey } from '../modules/format.js'
import { withAdminContext } from './context.js'

/** Options by what they choose. */
const CHOICES = {
  variables: 'environment variables',
  adapters: 'adapters',
  notifiers: 'notifiers',
  alertPolicies: 'alert policies',
  triggers: 'triggers',
} as const satisfies Record<SectionKey, string>

export function addExportCommand(program: Command): void {
  const command = program
    .command('export')
    .description('Write variables, adapters, notifiers, alert policies and triggers as `apply` takes them.')
    .option('-o, --output <file>', 'write there; default: standard output')
  for (const [key, things] of Object.entries(CHOICES)) {
    command.option(`--${flagOf(key)} [name...]`, `only these ${things}, or all of them; may be combined`)
  }
  command
    .addHelpText(
      'after',
      `
Secrets are never written: a comment stands in their place, and \`apply\` keeps those that are there already.

Examples:
  bpmn-relay export -o relay.yaml
  bpmn-relay export --adapters orders news --triggers`,
    )
    .action(write)
}

type Options = Partial<Record<SectionKey, true | string[]>> & { output?: string }

async function write({ output, ...options }: Options): Promise<void> {
  const { exportModule } = await import('../modules/export.js')
  const { SECTION_KEYS } = await import('../modules/format.js')
  const given = SECTION_KEYS.filter((key) => options[key] !== undefined)
  const chosen: Chosen = Object.fromEntries(
    (given.length > 0 ? given : SECTION_KEYS).map((key) => {
      const names = options[key]
      return [key, Array.isArray(names) ? names : undefined]
    }),
  )
  const text = await withAdminContext((context) => exportModule(context, chosen))
  if (output === undefined) {
    console.log(text.trimEnd())
    return
  }
  const { writeFile } = await import('node:fs/promises')
  await writeFile(output, text)
  console.error(`Written to ${output}.`)
}

/** `alertPolicies` is given as `--alert-policies`. */
function flagOf(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
}
