import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { notifierKind } from '../../../../src/alerts/notifiers/kinds.js'
import { type RelayError, toRelayError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'
import { makeAuthority, makeCertificate } from '../../../helpers/certificates.js'
import { notice } from '../../../helpers/notice.js'
import { deadAddress, hangingServer } from '../../../helpers/unwell-servers.js'
import { type Answer, answer, webhookReceiver } from '../../../helpers/webhook-receiver.js'

type Settings = Record<string, unknown>

const NOTICE = notice()
const TOKEN = 'T0KEN0123456789abcdef'
const KEY = Buffer.from('0123456789abcdef0123456789abcdef')

const deliver = (settings: Settings) => notifierKind('webhook').open(settings, silentLog)(NOTICE)

/** What a receiver gets that takes everything. */
async function received(t: TestContext, settings: Settings, takes: Answer = answer(200)) {
  const { url, requests } = await webhookReceiver(t, [takes])
  assert.deepEqual(await deliver({ url: `${url}?access_token=${TOKEN}`, ...settings }), [])
  const [request] = requests
  assert.ok(request && requests.length === 1)
  return { ...request, json: JSON.parse(request.body) }
}

/** The error after such an answer. */
async function failure(t: TestContext, answered: Answer, settings: Settings = {}): Promise<RelayError> {
  const { url } = await webhookReceiver(t, [answered])
  return await failureOf({ url: `${url}?access_token=${TOKEN}`, ...settings })
}

async function failureOf(settings: Settings): Promise<RelayError> {
  return await deliver(settings).then(() => assert.fail('it was delivered'), toRelayError)
}

describe('a generic webhook', () => {
  it('posts the notice as JSON with its id', async (t) => {
    const { method, headers, query, json } = await received(t, {})
    assert.equal(method, 'POST')
    assert.equal(query.get('access_token'), TOKEN)
    assert.equal(headers['content-type'], 'application/json; charset=utf-8')
    assert.equal(headers['webhook-id'], NOTICE.id)
    const { at, since, ...same } = NOTICE
    assert.deepEqual(json, {
      type: 'alert.firing',
      timestamp: at.toISOString(),
      data: { ...same, since: since.toISOString() },
    })
  })

  it('signs id, time and body, as Standard Webhooks says', async (t) => {
    const { headers, body } = await received(t, { secret: `whsec_${KEY.toString('base64')}` })
    const { 'webhook-id': id, 'webhook-timestamp': seconds } = headers
    assert.ok(Math.abs(Date.now() / 1000 - Number(seconds)) < 60)
    const expected = createHmac('sha256', KEY).update(`${id}.${seconds}.${body}`).digest('base64')
    assert.equal(headers['webhook-signature'], `v1,${expected}`)
  })

  it('sends headers of the operator', async (t) => {
    const { headers } = await received(t, { headers: { Authorization: 'Bearer x', 'X-Team': 'ops' } })
    assert.deepEqual([headers.authorization, headers['x-team']], ['Bearer x', 'ops'])
  })
})

describe('a webhook of a chat service', () => {
  it('signs for a robot of DingTalk in the URL, which keeps its token', async (t) => {
    const settings = { preset: 'dingtalk', secret: 'SEC0123' }
    const { query, json } = await received(t, settings, answer(200, { errcode: 0, errmsg: 'ok' }))
    const timestamp = query.get('timestamp') ?? ''
    assert.match(timestamp, /^\d{13}$/)
    const expected = createHmac('sha256', 'SEC0123').update(`${timestamp}\nSEC0123`).digest('base64')
    assert.equal(query.get('sign'), expected)
    assert.equal(query.get('access_token'), TOKEN)
    assert.equal(json.msgtype, 'markdown')
    assert.equal(json.markdown.title, '[critical] Firing: orders-errors (orders)')
    assert.match(json.markdown.text, /12\.5 %.*Owners: alice.*bpmn-relay/s)
  })

  it('signs for a robot of Feishu in the body', async (t) => {
    const settings = { preset: 'feishu', secret: 'robot-secret', language: 'zh' }
    const { json } = await received(t, settings, answer(200, { code: 0, msg: 'success', data: {} }))
    assert.match(json.timestamp, /^\d{10}$/)
    const expected = createHmac('sha256', `${json.timestamp}\nrobot-secret`).update('').digest('base64')
    assert.equal(json.sign, expected)
    assert.equal(json.msg_type, 'interactive')
    assert.equal(json.card.header.title.content, '【严重】告警：orders-errors')
    assert.match(json.card.elements[0].text.content, /适配器：orders/)
  })

  it('keeps what a robot of WeCom takes at most', async (t) => {
    const { url, requests } = await webhookReceiver(t, [answer(200, { errcode: 0, errmsg: 'ok' })])
    const open = notifierKind('webhook').open({ url, preset: 'wecom', language: 'zh' }, silentLog)
    await open(notice({ owners: Array(300).fill('张三'), note: '很'.repeat(2000) }))
    const { msgtype, markdown } = JSON.parse(requests[0]?.body ?? '')
    assert.equal(msgtype, 'markdown')
    assert.match(markdown.content, /^\*\*【严重】告警：orders-errors\*\*\n适配器：orders/)
    assert.ok(Buffer.byteLength(markdown.content) <= 4096)
    assert.doesNotMatch(markdown.content, /\ufffd/)
  })

  it('has blocks for Slack, whose texts mention nobody', async (t) => {
    const { url, requests } = await webhookReceiver(t, [answer(200, 'ok')])
    const open = notifierKind('webhook').open({ url, preset: 'slack' }, silentLog)
    await open(notice({ title: 'Firing: <!channel>', note: '<!here>' }))
    const { text, blocks } = JSON.parse(requests[0]?.body ?? '')
    assert.equal(text, '[critical] Firing: &lt;!channel&gt;')
    assert.deepEqual(
      blocks.map((block: { type: string; text: { type: string } }) => [block.type, block.text.type]),
      [
        ['header', 'plain_text'],
        ['section', 'plain_text'],
      ],
    )
  })

  it('is an adaptive card for Workflows of Teams, which say 202', async (t) => {
    const { json } = await received(t, { preset: 'teams' }, answer(202))
    const [{ contentType, content }] = json.attachments
    assert.deepEqual(
      [json.type, contentType, content.type],
      ['message', 'application/vnd.microsoft.card.adaptive', 'AdaptiveCard'],
    )
    assert.equal(content.body[0].text, '[critical] Firing: orders-errors (orders)')
  })

  const refusals: [service: string, status: number, body: object, retryable: boolean, message: RegExp][] = [
    [
      'dingtalk',
      200,
      { errcode: 310000, errmsg: 'sign not match' },
      false,
      /310000 sign not match: .*secret/,
    ],
    ['dingtalk', 200, { errcode: 130101, errmsg: 'send too fast' }, true, /130101 send too fast/],
    ['dingtalk', 200, { errcode: -1, errmsg: '系统繁忙' }, true, /-1 系统繁忙/],
    [
      'wecom',
      200,
      { errcode: 93000, errmsg: 'invalid webhook url' },
      false,
      /93000 invalid webhook url: .*url/,
    ],
    ['wecom', 200, { errcode: 45009, errmsg: 'api freq out of limit' }, true, /45009 api freq out of limit/],
    ['feishu', 200, { code: 19021, msg: 'sign match fail' }, false, /19021 sign match fail: .*clock/],
    ['feishu', 200, { code: 11232, msg: 'frequency limited' }, true, /11232 frequency limited/],
    ['feishu', 400, { code: 9499, msg: 'too many request' }, true, /9499 too many request/],
    ['feishu', 400, { code: 9499, msg: 'Bad Request' }, false, /9499 Bad Request/],
  ]
  for (const [service, status, body, retryable, message] of refusals) {
    it(`says why ${service} does not take it, as in ${JSON.stringify(body)}`, async (t) => {
      const error = await failure(t, answer(status, body), { preset: service })
      assert.equal(error.code, retryable ? 'NOTIFIER_UNREACHABLE' : 'NOTIFIER_REFUSED')
      assert.equal(error.retryable, retryable)
      assert.match(error.message, message)
    })
  }

  it('is not delivered to what does not answer like the service', async (t) => {
    const error = await failure(t, answer(200, '<html>Sign in</html>'), { preset: 'dingtalk' })
    assert.equal(error.code, 'NOTIFIER_UNREACHABLE')
    assert.match(error.message, /answered 200, but not as dingtalk does: <html>.*url or preset/)
  })
})

describe('a webhook that fails', () => {
  for (const status of [408, 425, 429, 500, 503]) {
    it(`can be tried again after status ${status}`, async (t) => {
      const error = await failure(t, answer(status, 'not now'))
      assert.deepEqual([error.code, error.retryable], ['NOTIFIER_UNREACHABLE', true])
      assert.match(error.message, new RegExp(`answered ${status} not now`))
    })
  }

  for (const status of [400, 401, 404, 410, 422]) {
    it(`need not be tried again after status ${status}`, async (t) => {
      const error = await failure(t, answer(status, 'no_service'), { preset: 'slack' })
      assert.deepEqual([error.code, error.retryable], ['NOTIFIER_REFUSED', false])
      assert.match(error.message, /no_service/)
    })
  }

  it('is delivered by the next attempt, under the same id', async (t) => {
    const { url, requests } = await webhookReceiver(t, [answer(500), answer(200)])
    const attempt = notifierKind('webhook').open({ url }, silentLog)
    await assert.rejects(attempt(NOTICE), { code: 'NOTIFIER_UNREACHABLE' })
    await attempt(NOTICE)
    assert.deepEqual(
      requests.map(({ headers }) => headers['webhook-id']),
      [NOTICE.id, NOTICE.id],
    )
  })

  it('says when to try again, in seconds or by date, an hour at most', async (t) => {
    const wait = async (value: string) =>
      (await failure(t, answer(429, '', { 'retry-after': value }))).retryAfterMs ?? Number.NaN
    assert.equal(await wait('7'), 7000)
    assert.equal(await wait('86400'), 3_600_000)
    const soon = await wait(new Date(Date.now() + 600_000).toUTCString())
    assert.ok(soon > 300_000 && soon <= 600_000)
    assert.ok(Number.isNaN(await wait('soon')))
    const feishu = await failure(t, answer(429, '', { 'x-ogw-ratelimit-reset': '52' }))
    assert.equal(feishu.retryAfterMs, 52_000)
  })

  it('follows no redirect, and says where it leads', async (t) => {
    const elsewhere = await webhookReceiver(t, [answer(200)])
    const error = await failure(t, answer(307, '', { location: `${elsewhere.url}?token=${TOKEN}` }))
    assert.equal(error.code, 'NOTIFIER_REFUSED')
    assert.match(error.message, /307, a redirect to http:\/\/127\.0\.0\.1:\d+: redirects are not followed/)
    assert.deepEqual(elsewhere.requests, [])
  })

  it('gives up a receiver that does not answer in time', async (t) => {
    const { address } = await hangingServer(t)
    const error = await failureOf({ url: `http://${address}/`, timeoutMs: 100 })
    assert.equal(error.code, 'NOTIFIER_UNREACHABLE')
    assert.match(error.message, /no answer within 100 ms/)
  })

  it('gives up a receiver whose answer does not end in time', async (t) => {
    const error = await failure(t, (response) => void response.writeHead(200).write('{'), { timeoutMs: 300 })
    assert.match(error.message, /no answer within 300 ms/)
  })

  it('says that nobody listens', async () => {
    const error = await failureOf({ url: `http://${await deadAddress()}/` })
    assert.equal(error.code, 'NOTIFIER_UNREACHABLE')
    assert.match(error.message, /ECONNREFUSED/)
  })

  it('reads no more of an endless answer than its beginning', async (t) => {
    const error = await failure(t, (response) => {
      response.writeHead(400)
      const pour = () => {
        while (!response.destroyed && response.write('x'.repeat(64 * 1024)));
        response.once('drain', pour)
      }
      pour()
    })
    assert.equal(error.code, 'NOTIFIER_REFUSED')
    assert.ok(error.message.length < 500)
  })

  it('shows no secret that the far side repeats', async (t) => {
    const repeats: Answer = (response, { path: place, query, headers }) => {
      const token = query.get('access_token')
      response.writeHead(403).end(`no ${place}?${query} for ${headers.authorization}\nor ${token}`)
    }
    const error = await failure(t, repeats, { headers: { Authorization: 'Bearer in-the-open' } })
    assert.match(error.message, /answered 403 no .*\*\*\*/)
    assert.doesNotMatch(error.message, /T0KEN|in-the-open|\n/)
  })
})

describe('a webhook with TLS', () => {
  it('trusts the authority of its settings, and no other', async (t) => {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'webhook-'))
    t.after(() => rm(folder, { recursive: true }))
    const authority = await makeAuthority(folder, 'authority')
    const certificate = await makeCertificate(folder, 'receiver', authority, 'IP:127.0.0.1')
    const { url, requests } = await webhookReceiver(t, [answer(200)], certificate)
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
    t.after(() => {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before
    })
    assert.match((await failureOf({ url })).message, /unable to verify|self-signed/)
    assert.deepEqual(requests, [])
    await deliver({ url, ca: authority.cert })
    assert.equal(requests.length, 1)
  })
})
