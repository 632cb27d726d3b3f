import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  checkMoves,
  parseInitialOffset,
  positionText,
  type StartupPosition,
  startupMoves,
} from '../../../src/trigger/positions.js'
import type { GroupMove } from '../../../src/trigger/trigger.js'
import { withDefaults } from '../../../src/trigger/trigger-settings.js'
import { triggerAdapter } from '../../helpers/trigger-adapter.js'

describe('a startup position', () => {
  const moves: [given: StartupPosition, expected: GroupMove[]][] = [
    [{}, []],
    [{ type: 'group-offsets' }, []],
    [{ type: 'earliest' }, [{ to: { at: 'earliest' } }]],
    [{ type: 'latest' }, [{ to: { at: 'latest' } }]],
    [
      { type: 'date', date: '2020-02-01 04:15:00.00 Z' },
      [{ to: { at: 'time', time: Date.UTC(2020, 1, 1, 4, 15) } }],
    ],
    [
      {
        type: 'specific-offsets',
        offsets: [
          ['user-topic/0', 91],
          ['a/b/11', ' 011 '],
          ['user-topic/1', 9223372036854775807n],
        ],
      },
      [
        { to: { at: 'offset', offset: '91' }, topic: 'user-topic', partitions: [0] },
        { to: { at: 'offset', offset: '11' }, topic: 'a/b', partitions: [11] },
        { to: { at: 'offset', offset: '9223372036854775807' }, topic: 'user-topic', partitions: [1] },
      ],
    ],
  ]
  for (const [given, expected] of moves) {
    it(`${given.type ?? 'that is not given'} moves ${expected.map(({ to }) => positionText(to)).join(', ') || 'nothing'}`, () => {
      assert.deepEqual(startupMoves(given), expected)
    })
  }

  const refused: [what: string, given: StartupPosition, message: RegExp][] = [
    [
      'is not known',
      { type: 'newest' },
      /startup position "newest" is not known: use one of group-offsets, earliest, latest, specific-offsets, date/,
    ],
    ['has no offsets', { type: 'specific-offsets' }, /needs offsets, such as user-topic\/0: 91/],
    ['has no date', { type: 'date' }, /startup position date needs a date/],
    [
      'has a date that is none',
      { type: 'date', date: 'now' },
      /^date "now" is no time with a zone since 1970: write it such as 2020-02-01T04:15:00Z$/,
    ],
    [
      'has a date too many',
      { date: '2020-02-01' },
      /date 2020-02-01 is given, but .* group-offsets: make it date/,
    ],
    ['has offsets too many', { type: 'latest', offsets: [['t/0', 1]] }, /latest: make it specific-offsets/],
    [
      'names no partition',
      { type: 'specific-offsets', offsets: [['t', 1]] },
      /offset of "t": write the partition/,
    ],
    [
      'names one twice',
      {
        type: 'specific-offsets',
        offsets: [
          ['t/0', 1],
          ['t/00', 2],
        ],
      },
      /offset of "t\/00" is given twice/,
    ],
    [
      'is half',
      { type: 'specific-offsets', offsets: [['t/0', 1.5]] },
      /offset of "t\/0" is "1\.5": use a whole/,
    ],
    ['is below 0', { type: 'specific-offsets', offsets: [['t/0', -1]] }, /is "-1"/],
    [
      'is beyond 64 bits',
      { type: 'specific-offsets', offsets: [['t/0', 2n ** 63n]] },
      /is "9223372036854775808"/,
    ],
  ]
  for (const [what, given, message] of refused) {
    it(`that ${what} is refused`, () => {
      assert.throws(() => startupMoves(given), { code: 'SETTINGS_INVALID', message })
    })
  }
})

describe('an initial offset', () => {
  it('has the names of Tencent, Kafka and ours', () => {
    assert.deepEqual(['latest', 'newest', 'Newest'].map(parseInitialOffset), ['latest', 'latest', 'latest'])
    assert.deepEqual(['earliest', 'oldest'].map(parseInitialOffset), ['earliest', 'earliest'])
    assert.throws(
      () => parseInitialOffset('none'),
      /initialOffset "none" is not known: use latest \(or newest\)/,
    )
  })
})

describe('a move', () => {
  const action = { kind: 'start', processId: 'p', version: null } as const
  const adapters = (name: string) => triggerAdapter(name, { movesGroups: name !== 'proxy' })
  const settingsOf = (adapterId: string) =>
    withDefaults({ name: 'in', adapterId, action, topics: ['orders', 'bills'] }, adapters)

  it('is refused for a topic that the trigger does not listen to', () => {
    const settings = settingsOf('kafka')
    checkMoves([{ to: { at: 'latest' } }, { to: { at: 'latest' }, topic: 'bills' }], settings, adapters)
    assert.throws(() => checkMoves([{ to: { at: 'latest' }, topic: 'x' }], settings, adapters), {
      code: 'SETTINGS_INVALID',
      message: 'topic "x" is none that trigger "in" listens to: use one of orders, bills',
    })
  })

  it('is refused to an offset of several topics', () => {
    const move: GroupMove = { to: { at: 'offset', offset: '91' }, partitions: [0] }
    assert.throws(() => checkMoves([move], settingsOf('kafka'), adapters), {
      code: 'SETTINGS_INVALID',
      message: /^offset 91 is of no topic, and trigger "in" listens to several: name one/,
    })
  })

  it('is refused where groups cannot be moved', () => {
    const settings = settingsOf('proxy')
    checkMoves([], settings, adapters)
    assert.throws(() => checkMoves([{ to: { at: 'latest' } }], settings, adapters), {
      code: 'SETTINGS_INVALID',
      message:
        /group of trigger "in" cannot be moved: over the protocol of adapter "proxy" .* leave the position out/,
    })
  })
})
