import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Trigger } from '../../../src/trigger/trigger.js'
import { withDefaults } from '../../../src/trigger/trigger-settings.js'
import { topicWarnings, warningsOf } from '../../../src/trigger/warnings.js'
import { triggerAdapter } from '../../helpers/trigger-adapter.js'

const MESSAGE = { kind: 'message', name: 'm', correlationKey: '=key', messageId: null, ttlMs: 1 } as const
const kafka = triggerAdapter('kafka')

function trigger(given: Partial<Trigger> = {}): Trigger {
  const action = { kind: 'start', processId: 'p', version: null } as const
  const settings = withDefaults({ name: 'in', adapterId: 'kafka', topics: ['t'], action }, () => kafka)
  const row = { id: 'in', pendingMoves: [], managed: false, revision: 1 }
  return { ...settings, ...row, createdAt: new Date(), updatedAt: new Date(), ...given }
}
const of = (given: Partial<Trigger>, all: Trigger[] = [], adapter = kafka) =>
  warningsOf(trigger(given), all, adapter)

describe('a trigger', () => {
  it('that is meant as it is has no warnings', () => {
    const other = trigger({ id: 'other', group: 'g' })
    const elsewhere = trigger({ id: 'elsewhere', adapterId: 'rocketmq' })
    assert.deepEqual(of({ activationCondition: '=value.n > 1' }, [trigger(), other, elsewhere]), [])
    assert.deepEqual(topicWarnings(trigger({ concurrency: 2 }), new Map([['t', 2]])), [])
  })

  const text = triggerAdapter('kafka', { valueSerialization: 'string' })
  const proxy = triggerAdapter('proxy', { orders: ['none'] })
  const twin = trigger({ id: 'twin', name: 'twin' })
  const warned: [what: string, warnings: string[], expected: RegExp][] = [
    [
      'acknowledges at once',
      of({ acknowledge: 'received' }),
      /messages in the hands of a worker that dies are lost/,
    ],
    [
      'gives its message no time',
      of({ action: { ...MESSAGE, ttlMs: 0 } }),
      /^ttl is 0: a message that no process waits/,
    ],
    [
      'looks into a text',
      of({ variables: '{n: value.n}' }, [], text),
      /adapter "kafka" reads as string: make its value/,
    ],
    [
      'has a correlation key in a text',
      of({ action: { ...MESSAGE, correlationKey: '=value[1]' } }, [], text),
      /^an expression looks into value/,
    ],
    [
      'wants an order that is not kept',
      of({}, [], proxy),
      /^order is key, which adapter "proxy" keeps only for groups/,
    ],
    [
      'shares its group',
      of({}, [twin]),
      /that of trigger "twin" too, with the same topics: each message goes to one/,
    ],
    [
      'shares its group for others',
      of({ topics: ['u'] }, [twin]),
      /too, with other topics: the members of a group/,
    ],
    [
      'has no topic yet',
      topicWarnings(trigger(), new Map()),
      /^topic t is not there: the trigger waits for it$/,
    ],
    [
      'finds no topic yet',
      topicWarnings(trigger({ topics: [], topicPattern: 'a.*' }), new Map()),
      /^no topic matches a\.\*: the trigger waits for one$/,
    ],
    [
      'handles more at a time than there are partitions',
      topicWarnings(trigger({ concurrency: 4 }), new Map([['t', 3]])),
      /^concurrency 4 is above the 3 partitions there are: messages of one partition are then handled side by side where/,
    ],
    [
      'does so in the order of each',
      topicWarnings(trigger({ concurrency: 2, order: 'queue' }), new Map([['t', 1]])),
      /^concurrency 2 is above the 1 partition there are: in the order of 1 partition, no more messages than that are/,
    ],
  ]
  for (const [what, warnings, expected] of warned) {
    it(`that ${what} is warned about`, () => {
      assert.equal(warnings.length, 1)
      assert.match(warnings[0] ?? '', expected)
    })
  }
})
