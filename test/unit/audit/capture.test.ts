import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type CaptureRules, createCapture } from '../../../src/audit/capture.js'
import { readConfig } from '../../../src/core/config.js'

const RULES: CaptureRules = { ...readConfig({}), auditMaskNames: [], auditCaptureChars: 1000 }

function captured(rules: Partial<CaptureRules>, message: string, members: [string, string][] = []) {
  return createCapture({ ...RULES, ...rules })(members, message)
}

describe('what is kept of a request', () => {
  it('is nothing, all but the message, or the message too', () => {
    const members: [string, string][] = [['key', '"k"']]
    assert.equal(captured({ auditCapture: 'none' }, '1', members), null)
    assert.equal(captured({ auditCapture: 'headers' }, '1', members), '{"key":"k"}')
    assert.equal(captured({ auditCapture: 'full' }, '1', members), '{"key":"k","message":1}')
  })

  it('is the start of a message beyond the cap, with its length', () => {
    assert.equal(
      captured({ auditCaptureChars: 20 }, '"0123456789012345678901234567890"'),
      '{"messageStart":"\\"0123456789012345678","messageLength":33}'.slice(0, 40),
    )
    const { messageLength } = JSON.parse(captured({ auditCaptureChars: 100 }, `"${'x'.repeat(200)}"`) ?? '')
    assert.equal(messageLength, 202)
  })
})

describe('masks', () => {
  it('hide members by the end of their name, however it is written', () => {
    const message = '{"userPassword":"a","API-Key":["b"],"api_key_id":"c","x.api_key":{"d":1}}'
    assert.equal(
      captured({ auditMaskNames: ['password', 'apiKey'] }, message),
      '{"message":{"userPassword":"***","API-Key":"***","api_key_id":"c","x.api_key":"***"}}',
    )
  })

  it('hide places by path, in objects and arrays, of message and headers', () => {
    const paths = [
      '$.message.card.number',
      "$.headers['x-who']",
      '$.message.items[*].iban',
      '$.message.items[1]',
    ]
    const members: [string, string][] = [['headers', '{"x-who":"me","x":"y"}']]
    assert.equal(
      captured(
        { auditMaskPaths: paths },
        '{"number":1,"card":{"number":2},"items":[{"iban":3,"n":4},5]}',
        members,
      ),
      '{"headers":{"x-who":"***","x":"y"},"message":{"number":1,"card":{"number":"***"},"items":[{"iban":"***","n":4},"***"]}}',
    )
  })

  it('reach into JSON that is the text of a message', () => {
    const message = JSON.stringify('{"password":"a","n":1}')
    const kept = JSON.parse(captured({ auditMaskNames: ['password'] }, message) ?? '')
    assert.equal(kept.message, '{"password":"***","n":1}')
  })

  it('are not evaded by blanks before a colon, nor by those of JSON that is a text', () => {
    const message = '{"password" \r\n\t : "a"}'
    for (const given of [
      message,
      JSON.stringify(message),
      JSON.stringify(`{"text":${JSON.stringify(message)}}`),
    ]) {
      assert.doesNotMatch(captured({ auditMaskNames: ['password'] }, given) ?? '', /"a/)
    }
  })

  it('are not evaded by escapes in a name', () => {
    assert.equal(
      captured({ auditMaskNames: ['password'] }, '{"p\\u0061ssword":"a"}'),
      '{"message":{"password":"***"}}',
    )
  })

  it('hide each of two members of one name', () => {
    const kept = captured({ auditMaskNames: ['password'] }, '{"password":"a","password":"b"}')
    assert.equal(kept, '{"message":{"password":"***"}}')
  })

  it('hide what is usually secret, unless told otherwise', () => {
    const { auditMaskNames } = readConfig({})
    const headers = '{"Authorization":"a","X-Api-Key":"b","set-cookie":"c","clientSecret":"d","tokens":1}'
    assert.equal(
      captured({ auditMaskNames }, headers),
      '{"message":{"Authorization":"***","X-Api-Key":"***","set-cookie":"***","clientSecret":"***","tokens":1}}',
    )
    assert.deepEqual(readConfig({ BPMN_RELAY_AUDIT_MASK_NAMES: ',' }).auditMaskNames, [])
  })

  it('come before the cut, so that no part of a secret is left', () => {
    const message = `{"a":"${'x'.repeat(990)}","password":"secret"}`
    assert.doesNotMatch(captured({ auditMaskNames: ['password'] }, message) ?? '', /secr/)
  })

  it('leave every number its digits', () => {
    const message = '{"n":9223372036854775807,"m":100.0,"password":1}'
    assert.equal(
      captured({ auditMaskNames: ['password'] }, message),
      '{"message":{"n":9223372036854775807,"m":100.0,"password":"***"}}',
    )
  })

  it('leave texts alone that are no JSON', () => {
    assert.equal(captured({ auditMaskNames: ['password'] }, '"{password: 1"'), '{"message":"{password: 1"}')
  })

  it('hide a request whole that is no JSON but may hold a secret', () => {
    assert.equal(captured({ auditMaskNames: ['password'] }, '{password: 1'), '{"unreadable":"***"}')
  })

  it('refuse a path that is none, naming it', () => {
    for (const path of ['', '$', 'message.a', '$.a..b', '$.a[b]']) {
      assert.throws(() => createCapture({ ...RULES, auditMaskPaths: [path] }), {
        code: 'CONFIG_INVALID',
        message: /is no path/,
      })
    }
  })
})
