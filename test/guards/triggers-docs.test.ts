import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { createProgram } from '../../src/cli/program.js'
import { STARTUP_POSITIONS } from '../../src/trigger/positions.js'
import { TRIGGER_STATES } from '../../src/trigger/trigger.js'
import { TRIGGER_DEFAULTS } from '../../src/trigger/trigger-defaults.js'
import { withDefaults } from '../../src/trigger/trigger-settings.js'
import { triggerAdapter } from '../helpers/trigger-adapter.js'

const page = readFileSync(new URL('../../docs/triggers.md', import.meta.url), 'utf8')
const settings = rowsOf('## Settings')
const optionsOf = (group: string, verb: string) => {
  const commands = createProgram().commands.find((command) => command.name() === group)?.commands
  const command = commands?.find((each) => each.name() === verb)
  return (command?.options ?? []).map(({ long }) => long ?? '')
}

describe('docs/triggers.md', () => {
  it('explains every setting of a trigger, and no other', () => {
    const action = { kind: 'start', processId: 'p', version: null } as const
    const all = Object.keys(withDefaults({ name: 'n', adapterId: 'a', action }, triggerAdapter))
    assert.deepEqual(settings.map(([name = '']) => bare(name)).sort(), all.sort())
  })

  it('tells the defaults that they have', () => {
    const documented = settings.flatMap(([name = '', , value = '']) =>
      Object.hasOwn(TRIGGER_DEFAULTS, bare(name)) ? [[bare(name), bare(value)]] : [],
    )
    const defaults = Object.entries(TRIGGER_DEFAULTS).map(([name, value]) => [
      name,
      shownDefault(name, value),
    ])
    assert.deepEqual(documented.sort(), defaults.sort())
  })

  it('names options there are, and all of them', () => {
    const documented = new Set([...page.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([option]) => option))
    const ofTriggers = ['create', 'update', 'seek'].flatMap((verb) => optionsOf('trigger', verb))
    const known = new Set([...ofTriggers, ...optionsOf('adapter', 'create')])
    assert.deepEqual(
      [...documented].filter((option) => !known.has(option)),
      [],
    )
    assert.deepEqual(
      optionsOf('trigger', 'create').filter((option) => !documented.has(option)),
      [],
    )
  })

  it('has all startup positions and states', () => {
    assert.deepEqual(namesIn('## Where a trigger begins').sort(), [...STARTUP_POSITIONS].sort())
    assert.deepEqual(namesIn('## States'), [...TRIGGER_STATES])
  })
})

function shownDefault(name: string, value: unknown): string {
  if (name === 'concurrency') return "the adapter's"
  if (value === '') return 'empty'
  return value === null || Array.isArray(value) ? 'none' : String(value)
}

/** Names in the first column of the table of a section. */
function namesIn(heading: string): string[] {
  return rowsOf(heading).flatMap(([names = '']) => names.split(', ').map(bare))
}

/** Cells of the first table below a heading, without its head. */
function rowsOf(heading: string): string[][] {
  const [, section = ''] = page.split(`${heading}\n`)
  const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? []
  return table
    .trimEnd()
    .split('\n')
    .slice(2)
    .map((row) =>
      row
        .split('|')
        .slice(1)
        .map((cell) => cell.trim()),
    )
}

function bare(cell: string): string {
  return cell.trim().replaceAll('`', '')
}
