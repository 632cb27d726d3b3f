import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  signDingtalk,
  signFeishu,
  signStandard,
  standardKey,
} from '../../../../src/alerts/notifiers/signatures.js'

describe('the signature of a webhook', () => {
  it('is the one of the example in the specification of Standard Webhooks', () => {
    const key = standardKey('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw') ?? assert.fail()
    assert.equal(
      signStandard(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, '{"test": 2432232314}'),
      'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    )
  })

  // Both worked out by the Python programs in the documentation of the services.
  it("is DingTalk's for its robots", () => {
    assert.equal(
      signDingtalk('SEC0123456789abcdef', 1599360473123),
      'xMfqlbzeZae+zPIbgTbEwuCyPTmXPgH/WMqwBk0jhI0=',
    )
  })

  it("is Feishu's for its robots", () => {
    assert.equal(
      signFeishu('feishu-robot-secret', 1599360473),
      'nA1QATTPMehE8EusvhiGMewwG43jvArENjC60BGxaRM=',
    )
  })

  const wrong = ['whsec_', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_c2hvcnQ=', `whsec_${'A'.repeat(100)}`]
  for (const secret of wrong) {
    it(`has no key in ${secret.slice(0, 20)}`, () => assert.equal(standardKey(secret), undefined))
  }
})
