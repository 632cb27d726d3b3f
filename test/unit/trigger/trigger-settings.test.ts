import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { RelayError } from '../../../src/core/errors.js'
import type { TriggerAction, TriggerSettings } from '../../../src/trigger/trigger.js'
import type { TriggerAdapter } from '../../../src/trigger/trigger-adapters.js'
import { checkedTrigger, withChanges, withDefaults } from '../../../src/trigger/trigger-settings.js'
import { triggerAdapter } from '../../helpers/trigger-adapter.js'

const refuseGroup: TriggerAdapter['checkSource'] = ({ group }) => {
  if (group === 'no good') throw new RelayError('INPUT_INVALID', 'group "no good" is none')
  return { concurrency: 20, batchSize: 1 }
}
const BROKERS: Record<string, TriggerAdapter> = {
  kafka: triggerAdapter('kafka', { checkSource: refuseGroup }),
  rocketmq: triggerAdapter('rocketmq', { kind: 'rocketmq', filters: true }),
  proxy: triggerAdapter('proxy', { kind: 'rocketmq', filters: true, listsTopics: false, orders: ['none'] }),
}
const adapters = (id: string) => BROKERS[id]

const START: TriggerAction = { kind: 'start', processId: 'order', version: null }
const MESSAGE = { kind: 'message', name: 'paid', correlationKey: '=key', messageId: null, ttlMs: 0 } as const

const settings = (given: Partial<TriggerSettings> = {}): TriggerSettings =>
  withDefaults({ name: 'in', adapterId: 'kafka', topics: ['orders'], action: START, ...given }, adapters)
const checked = (given: Partial<TriggerSettings> = {}) => checkedTrigger(settings(given), adapters)

describe('a trigger', () => {
  const taken: [what: string, given: Partial<TriggerSettings>][] = [
    ['topics', {}],
    ['a pattern', { topics: [], topicPattern: 'orders-\\d+' }],
    ['a filter of RocketMQ', { adapterId: 'rocketmq', filter: { sql: 'a > 1' } }],
    ['a version of the process', { action: { ...START, version: 3 } }],
    ['a message', { action: MESSAGE }],
    ['expressions over the message', { activationCondition: '=value.n > 1', variables: '{n: value.n}' }],
    ['forwarding by another adapter', { action: { kind: 'forward', adapterId: 'rocketmq', topic: null } }],
    ['forwarding to another topic', { action: { kind: 'forward', adapterId: 'kafka', topic: 'other' } }],
    ['dead letters through another adapter', { deadLetterAdapterId: 'rocketmq', deadLetterTopic: 'orders' }],
    ['dead letters to another topic', { deadLetterTopic: 'dead' }],
    ['acknowledging at once', { acknowledge: 'received' }],
  ]
  for (const [what, given] of taken) {
    it(`may have ${what}`, () => {
      assert.deepEqual(checked(given), settings(given))
    })
  }

  it('keeps the order of keys unless its adapter keeps none or it says otherwise', () => {
    const orderOf = (given: Partial<TriggerSettings>) => settings(given).order
    assert.deepEqual(
      [orderOf({}), orderOf({ adapterId: 'proxy' }), orderOf({ adapterId: 'proxy', order: 'queue' })],
      ['key', 'none', 'queue'],
    )
  })

  it('that waits for the end of its process does so for five minutes unless it says otherwise', () => {
    assert.equal(checked({ acknowledge: 'completed' }).completionTimeoutMs, 300_000)
    assert.equal(checked({ acknowledge: 'completed', completionTimeoutMs: 1000 }).completionTimeoutMs, 1000)
  })

  const refused: [what: string, given: Partial<TriggerSettings>, message: RegExp][] = [
    ['a name that is none', { name: '-x' }, /name "-x" cannot be used/],
    ['an unknown adapter', { adapterId: 'x' }, /^adapter x is not there: `bpmn-relay adapter list`/],
    ['neither topics nor a pattern', { topics: [] }, /topics is empty and there is no topicPattern/],
    [
      'topics and a pattern',
      { topicPattern: 'o.*' },
      /topics orders and topicPattern o\.\* exclude each other/,
    ],
    [
      'a pattern that is none',
      { topics: [], topicPattern: 'a(' },
      /topicPattern cannot be used: Invalid regular expression: \/a\(\/: Unterminated group; write a JavaScript/,
    ],
    ['a pattern that only our brackets close', { topics: [], topicPattern: 'a)(b' }, /Unmatched '\)'/],
    [
      'a pattern where topics cannot be listed',
      { adapterId: 'proxy', topics: [], topicPattern: 'o.*' },
      /topicPattern o\.\* cannot be used with adapter "proxy", whose protocol does not list topics: give topics/,
    ],
    ['an empty topic', { topics: [''] }, /topics has "": a name of a topic is not empty/],
    ['a topic twice', { topics: ['a', 'b', 'a'] }, /topics names "a" twice: once is enough/],
    [
      'a filter where there is none',
      { filter: { tags: ['a'] } },
      /filter is set, and adapter "kafka" is of kind kafka, which has none: leave it out, or use activationCondition/,
    ],
    ['an empty group', { group: ' ' }, /group is empty/],
    ['what the broker cannot do', { group: 'no good' }, /^group "no good" is none$/],
    ['no concurrency', { concurrency: 0 }, /concurrency is 0: use a whole number, 1 to 1000/],
    ['half an attempt', { maxAttempts: 0.5 }, /maxAttempts is 0\.5: use a whole number, 1 to 1000/],
    ['no back-off', { retryBackOffMs: 0 }, /retryBackOffMs is 0/],
    [
      'a first back-off above the longest',
      { retryBackOffMs: 2000, retryBackOffMaxMs: 1000 },
      /retryBackOffMs 2000 is above retryBackOffMaxMs 1000: lower it or raise the other/,
    ],
    ['an empty process id', { action: { ...START, processId: '' } }, /processId is ""/],
    ['a process id with a space', { action: { ...START, processId: 'an order' } }, /processId is "an order"/],
    ['a version 0', { action: { ...START, version: 0 } }, /version is 0: use a whole number, 1 to/],
    ['a message without a name', { action: { ...MESSAGE, name: '' } }, /the name of the message is empty/],
    [
      'a message without a correlation key',
      { action: { ...MESSAGE, correlationKey: '' } },
      /^correlationKey is empty: a message needs one, an expression such as =value\.orderId/,
    ],
    ['a message with a wrong id', { action: { ...MESSAGE, messageId: 'a b +' } }, /^messageId, line 1/],
    ['a message that lives for no time', { action: { ...MESSAGE, ttlMs: -1 } }, /ttlMs is -1/],
    [
      'a condition that is no expression',
      { activationCondition: 'value.n >' },
      /^activationCondition, line 1, column 10: the expression ends too early\nvalue\.n >\n {9}\^/,
    ],
    [
      'variables by an unknown function',
      { variables: '{a: f(1)}' },
      /^variables, .*there is no function "f"/,
    ],
    [
      'forwarding to where it comes from',
      { action: { kind: 'forward', adapterId: 'kafka', topic: null } },
      /messages of adapter "kafka" would be forwarded to where they come from: forward to another topic or/,
    ],
    [
      'forwarding to a topic of its own',
      { topics: ['a', 'b'], action: { kind: 'forward', adapterId: 'kafka', topic: 'b' } },
      /where they come from, topic b:/,
    ],
    [
      'forwarding to a topic of its pattern',
      { topics: [], topicPattern: 'a|bc?', action: { kind: 'forward', adapterId: 'kafka', topic: 'bc' } },
      /where they come from, topic bc:/,
    ],
    [
      'forwarding by an unknown adapter',
      { action: { kind: 'forward', adapterId: 'x', topic: null } },
      /^the adapter to forward to, x is not there/,
    ],
    [
      'variables of what is forwarded',
      { action: { kind: 'forward', adapterId: 'rocketmq', topic: null }, variables: '{}' },
      /variables is set, but what is forwarded stays as it is/,
    ],
    [
      'an adapter of dead letters without a topic',
      { deadLetterAdapterId: 'rocketmq' },
      /deadLetterAdapter is set, but deadLetterTopic is not: name the topic/,
    ],
    [
      'dead letters by an unknown adapter',
      { deadLetterAdapterId: 'x', deadLetterTopic: 'd' },
      /^deadLetterAdapter x/,
    ],
    [
      'dead letters that come back',
      { deadLetterTopic: 'orders' },
      /deadLetterTopic orders of adapter "kafka" is one that the trigger listens to/,
    ],
    [
      'waiting for the end of what starts nothing',
      { action: MESSAGE, acknowledge: 'completed' },
      /acknowledge completed waits for the end of a process, and a trigger that does message starts none/,
    ],
    [
      'a time limit of nothing',
      { completionTimeoutMs: 5000 },
      /completionTimeoutMs is 5000, but with acknowledge accepted nothing waits/,
    ],
    [
      'no time to complete',
      { acknowledge: 'completed', completionTimeoutMs: 1 },
      /completionTimeoutMs is 1: use a whole number, 1000 to 86400000/,
    ],
  ]
  for (const [what, given, message] of refused) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => checked(given), { code: 'SETTINGS_INVALID', message })
    })
  }
})

describe('a change of a trigger', () => {
  it('takes away what it takes the place of', () => {
    const known = settings({ acknowledge: 'completed', completionTimeoutMs: 5000 })
    assert.equal(withChanges(known, { acknowledge: 'accepted' }).completionTimeoutMs, null)
    assert.deepEqual(withChanges(known, { topicPattern: 'a' }).topics, [])
    assert.equal(
      withChanges(settings({ topics: [], topicPattern: 'a' }), { topics: ['b'] }).topicPattern,
      null,
    )
  })

  it('leaves alone what it does not name', () => {
    const known = settings({ acknowledge: 'completed', completionTimeoutMs: 5000 })
    assert.deepEqual(withChanges(known, { description: 'd' }), { ...known, description: 'd' })
  })
})
