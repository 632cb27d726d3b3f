import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  checkedPolicy,
  POLICY_DEFAULTS,
  type PolicySettings,
  parseMetric,
  parseOperator,
  parseSeverity,
} from '../../../src/alerts/policy.js'
import { PRESETS, presetNamed } from '../../../src/alerts/presets.js'
import { conditionText, firingText, recoveredText } from '../../../src/alerts/wording.js'

const policy = (given: Partial<PolicySettings> = {}): PolicySettings => ({
  ...POLICY_DEFAULTS,
  ...{ name: 'orders-fail', metric: 'error_rate', operator: 'above', threshold: 0.05 },
  ...given,
})

describe('an alert policy', () => {
  it('looks through five minutes unless it says otherwise', () => {
    assert.equal(checkedPolicy(policy()).windowMinutes, 5)
  })

  it('has no window for what is so now', () => {
    assert.equal(checkedPolicy(policy({ metric: 'circuit_open', threshold: 0 })).windowMinutes, null)
  })

  const refused: [what: string, given: Partial<PolicySettings>, message: RegExp][] = [
    ['a name that is none', { name: '-x' }, /name "-x" cannot be used/],
    [
      'a share above 1',
      { threshold: 5 },
      /threshold is 5: error_rate goes from 0 to 1; write 5 % as 0\.05 or 5%/,
    ],
    ['a threshold below 0', { metric: 'errors', threshold: -1 }, /threshold is -1: use a number, 0 or more/],
    ['a threshold that is no number', { threshold: Number.NaN }, /threshold is NaN/],
    [
      'a recovery threshold beyond the threshold',
      { recoveryThreshold: 0.06 },
      /recovery threshold is 0\.06: with above 0\.05 it must be at most 0\.05/,
    ],
    [
      'a recovery threshold beyond the threshold the other way round',
      { metric: 'calls', operator: 'below', threshold: 10, recoveryThreshold: 5 },
      /recovery threshold is 5: with below 10 it must be at least 10/,
    ],
    [
      'a window of half a minute',
      { windowMinutes: 0.5 },
      /window is 0\.5 minutes: use whole minutes, 1 to 1440/,
    ],
    ['a window of two days', { windowMinutes: 2880 }, /window is 2880 minutes/],
    ['a window over now', { metric: 'workers', windowMinutes: 5 }, /window: workers tells of now/],
    ['a for-duration of two days', { forSeconds: 172_800 }, /for-duration is 172800 seconds/],
    [
      'less silence than heartbeats have between them',
      { metric: 'worker_silence', threshold: 5 },
      /threshold is 5: heartbeats come every 5 s .* use 15 to 3599 seconds/,
    ],
    [
      'workers of an adapter',
      { metric: 'workers', threshold: 1, adapterKind: 'kafka' },
      /workers is about workers/,
    ],
    [
      'circuits of an operation',
      { metric: 'circuit_open', threshold: 0, operation: 'publish' },
      /not about calls/,
    ],
  ]
  for (const [what, given, message] of refused) {
    it(`is refused with ${what}`, () => {
      assert.throws(() => checkedPolicy(policy(given)), { code: 'SETTINGS_INVALID', message })
    })
  }

  it('is refused with an unknown metric, operator or severity, each with those there are', () => {
    assert.throws(
      () => parseMetric('errorrate'),
      /metric "errorrate" is not known: use one of error_rate, errors, /,
    )
    assert.throws(
      () => parseOperator('over'),
      /operator "over" is not known: use one of above, at-least, below, at-most/,
    )
    assert.throws(
      () => parseSeverity('high'),
      /severity "high" is not known: use one of info, warning, critical/,
    )
  })

  it('takes signs for operators', () => {
    assert.deepEqual(['>', '≥', '<', '≤'].map(parseOperator), ['above', 'at-least', 'below', 'at-most'])
  })
})

describe('a ready-made policy', () => {
  for (const preset of PRESETS) {
    it(`${preset.name} can be made as it is`, () => {
      checkedPolicy(preset)
    })
  }

  it('of an unknown name is refused with those there are', () => {
    assert.throws(
      () => presetNamed('errors'),
      /preset "errors" is not known: use one of broker-out-of-reach, /,
    )
  })
})

describe('the text of an alert', () => {
  const orders = { key: 'id', adapterId: 'id', adapterName: 'orders', label: 'adapter "orders"' }
  const rate = policy({ windowMinutes: 5, forSeconds: 90, recoveryThreshold: 0.02 })

  it('says what was measured, against what, of what, and for how long', () => {
    assert.equal(
      firingText(rate, orders, 0.125),
      'Error rate of adapter "orders" is 12.5 % (> 5 %) over the last 5 min, for 90 s or longer.',
    )
  })

  it('says what it recovered to', () => {
    assert.equal(
      recoveredText(rate, orders, 0.01),
      'Error rate of adapter "orders" is 1 % again (no longer > 2 %) over the last 5 min.',
    )
  })

  it('says that there is nothing to measure any more', () => {
    assert.equal(
      recoveredText(rate, orders, null),
      'Error rate of adapter "orders": there is nothing to measure any more.',
    )
  })

  it('of its policy is one line', () => {
    assert.equal(conditionText(rate), 'error_rate > 5 % in 5 min for 90 s')
  })
})
