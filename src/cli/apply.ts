import type { Command } from 'commander'
import type { Change, ShownChange } from '../modules/change.js'
import type { Finding } from '../modules/documents.js'
import { withAdminContext } from './context.js'
import { Ended } from './ended.js'

export function addApplyCommand(program: Command): void {
  program
    .command('apply')
    .description('Make variables, adapters, notifiers, alert policies and triggers as files declare them.')
    .requiredOption(
      '-f, --file <file...>',
      'YAML to apply; a folder: its *.yaml and *.yml; "-": standard input',
    )
    .option('--dry-run', 'show what would change and change nothing; exit code 2 if there is something')
    .option('--prune', 'also delete what an earlier apply made and no file declares any more')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
All of it is done or, if anything is wrong, nothing, and every problem is told with its place. What is there already is
changed in what differs; applying the same files again changes nothing. Fields that are left out have their defaults, but
\`enabled\` and a trigger's \`state\` stay as they are. Modules of Apache Flink Stateful Functions are taken too.
docs/modules.md explains the format; \`bpmn-relay export\` writes it.

Exit codes with --dry-run: 0 nothing would change, 2 something would, 1 it cannot be applied.

Examples:
  bpmn-relay apply -f relay.yaml --dry-run
  bpmn-relay apply -f adapters/ -f triggers/ --prune
  kubectl get configmap relay -o jsonpath='{.data.relay\\.yaml}' | bpmn-relay apply -f -`,
    )
    .action(apply)
}

interface Options {
  file: string[]
  dryRun?: boolean
  prune?: boolean
  json?: true
}

async function apply({ file: files, dryRun = false, prune = false, json }: Options): Promise<void> {
  const { readSources } = await import('../modules/sources.js')
  const { readDeclarations } = await import('../modules/declarations.js')
  const { applyDeclarations } = await import('../modules/apply.js')
  const sources = await readSources(files)
  await withAdminContext(async (context) => {
    const declarations = readDeclarations(sources, context.registry)
    await warn(declarations.warnings)
    const options = { prune, dryRun, environment: process.env }
    const { changes, warnings } = await applyDeclarations(context, declarations, options)
    await warn(warnings)
    if (json) {
      console.log(
        JSON.stringify({ dryRun, changes, warnings: [...declarations.warnings, ...warnings] }, null, 2),
      )
    } else {
      const isColoured = process.stdout.isTTY === true && !process.env.NO_COLOR
      console.log(changesText(changes, dryRun, isColoured))
    }
    if (dryRun && changes.some(({ action }) => action !== 'none')) throw new Ended(2)
  })
}

async function warn(warnings: readonly Finding[]): Promise<void> {
  const { placeText } = await import('../modules/declarations.js')
  for (const { place, message } of warnings) console.error(`Warning: ${placeText(place)}: ${message}.`)
}

const SIGNS = { create: '+', update: '~', delete: '-' } as const
const COLOURS = { create: 32, update: 33, delete: 31 } as const

/** What changes, field by field, and how much of it. */
export function changesText(changes: readonly Change[], isDryRun: boolean, isColoured: boolean): string {
  const paint = (action: keyof typeof COLOURS, text: string) =>
    isColoured ? `\u001b[${COLOURS[action]}m${text}\u001b[0m` : text
  const lines = changes.flatMap(({ thing, name, action, fields }) => {
    if (action === 'none') return []
    const title = paint(action, `${SIGNS[action]} ${thing} ${name}`)
    return [title, ...fields.map((field) => `    ${fieldText(field, action === 'create')}`)]
  })
  const counts = { create: 0, update: 0, delete: 0, none: 0 }
  for (const { action } of changes) counts[action] += 1
  const would = isDryRun ? 'would be ' : ''
  const summary = `${counts.create} ${would}created, ${counts.update} ${would}changed, ${counts.delete} ${would}deleted, ${counts.none} unchanged.`
  return [...lines, summary].join('\n')
}

function fieldText({ path, from, to, isSecret }: ShownChange, isNew: boolean): string {
  if (isSecret && from === undefined && to === undefined) return `${path}: (secret)${isNew ? '' : ' changed'}`
  if (isNew) return `${path}: ${valueText(to, isSecret)}`
  return `${path}: ${valueText(from, isSecret)} -> ${valueText(to, isSecret)}`
}

function valueText(value: unknown, isSecret: boolean): string {
  if (value === undefined) return isSecret ? '(secret)' : '(not set)'
  return JSON.stringify(value)
}
