import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { changesText } from '../../../src/cli/apply.js'
import type { Change, ShownChange } from '../../../src/modules/change.js'

const change = (action: Change['action'], ...fields: ShownChange[]): Change => ({
  ...{ section: 'adapters', thing: 'adapter', name: 'orders', action, fields },
})
const field = (path: string, from: unknown, to: unknown, isSecret = false): ShownChange => ({
  ...{ path, from, to, isSecret },
})

describe('what apply shows', () => {
  it('is each field before and after, and how much changes', () => {
    const changes = [
      change('create', field('kind', undefined, 'kafka')),
      change('update', field('settings.acks', 'all', undefined), field('enabled', false, true)),
      change('delete'),
      change('none'),
    ]
    assert.equal(
      changesText(changes, false, false),
      `+ adapter orders
    kind: "kafka"
~ adapter orders
    settings.acks: "all" -> (not set)
    enabled: false -> true
- adapter orders
1 created, 1 changed, 1 deleted, 1 unchanged.`,
    )
  })

  it('says of secrets that they change, and where a reference comes or goes', () => {
    const secret = change(
      'update',
      field('a', undefined, undefined, true),
      field('b', undefined, '@env(B)', true),
    )
    assert.match(
      changesText([secret], true, false),
      /a: \(secret\) changed\n {4}b: \(secret\) -> "@env\(B\)"\n/,
    )
  })

  it('is coloured where it is asked for', () => {
    const [title] = changesText([change('delete')], true, true).split('\n')
    assert.equal(title, '\u001b[31m- adapter orders\u001b[0m')
  })
})
