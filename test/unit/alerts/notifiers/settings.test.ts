import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { NOTIFIER_KINDS, notifierKind } from '../../../../src/alerts/notifiers/kinds.js'
import { settingFields } from '../../../../src/cli/settings.js'
import { silentLog } from '../../../../src/core/log.js'

const URL = 'https://example.com/alerts'
const MAIL = { host: 'smtp.example.com', from: 'relay@example.com', to: 'ops@example.com' }

describe('a notifier', () => {
  const fitting: [what: string, kind: string, settings: Record<string, unknown>][] = [
    ['a webhook with a URL alone', 'webhook', { url: URL }],
    [
      'a signed webhook with headers of its own',
      'webhook',
      { url: URL, secret: `whsec_${'A'.repeat(44)}`, headers: { Authorization: 'Bearer x' } },
    ],
    ['a robot of DingTalk', 'webhook', { url: URL, preset: 'dingtalk', secret: 'SEC1' }],
    ['texts out of variables', 'mail', { ...MAIL, port: '2525', addOwners: 'true' }],
    ['several recipients with names', 'mail', { ...MAIL, to: 'Ops <ops@example.com>, duty@example.com' }],
    ['the log', 'log', {}],
  ]
  for (const [what, kind, settings] of fitting) {
    it(`can be ${what}`, () => {
      notifierKind(kind).open(settings, silentLog)
    })
  }

  const wrong: [what: string, kind: string, settings: Record<string, unknown>, message: RegExp][] = [
    ['no URL', 'webhook', {}, /url/],
    ['a URL that is none', 'webhook', { url: 'example.com' }, /^url is no http\(s\) URL: give it whole/],
    [
      'a URL with a login',
      'webhook',
      { url: 'https://u:p@example.com' },
      /url holds a login: .*Authorization/,
    ],
    [
      "the URL of a service without that service's form",
      'webhook',
      { url: 'https://oapi.dingtalk.com/robot/send?access_token=x' },
      /preset is generic, but url leads to oapi\.dingtalk\.com: set preset to dingtalk/,
    ],
    [
      'the URL of a connector of Teams, which Microsoft has retired',
      'webhook',
      { url: 'https://example.webhook.office.com/webhookb2/x', preset: 'teams' },
      /retired: make a workflow/,
    ],
    ['an unknown preset', 'webhook', { url: URL, preset: 'dingding' }, /preset "dingding".*"dingtalk"/],
    ['a weak secret', 'webhook', { url: URL, secret: 'geheim' }, /secret is not "whsec_".*openssl rand/],
    [
      'a secret that would not be used',
      'webhook',
      { url: URL, preset: 'slack', secret: 'geheim' },
      /secret is set, but preset slack signs nothing: remove it/,
    ],
    [
      'a header of the program',
      'webhook',
      { url: URL, headers: { 'Content-Type': 'x' } },
      /headers\.Content-Type/,
    ],
    ['a header that cannot be sent', 'webhook', { url: URL, headers: { 'X-Y': 'geheim\n' } }, /headers\.X-Y/],
    ['a file name as certificate', 'webhook', { url: URL, ca: 'ca.pem' }, /ca holds no certificate/],
    [
      'a time zone of no place',
      'webhook',
      { url: URL, timeZone: 'Beijing' },
      /timeZone "Beijing".*Asia\/Shanghai/,
    ],
    ['a time limit beyond that of the outbox', 'webhook', { url: URL, timeoutMs: 60_000 }, /timeoutMs 60000/],
    ['a wrong sender', 'mail', { ...MAIL, from: 'relay' }, /^from "relay".*no mail address/],
    ['two senders', 'mail', { ...MAIL, from: 'a@b.c, d@e.f' }, /several senders/],
    [
      'a wrong recipient',
      'mail',
      { ...MAIL, to: 'ops@example.com, duty' },
      /to .*"duty", which is no mail address/,
    ],
    ['half a login', 'mail', { ...MAIL, user: 'relay' }, /user is set but password is not/],
    ['certificates without TLS', 'mail', { ...MAIL, tls: 'none', ca: 'x' }, /ca is set but tls is none/],
    ['a setting where there are none', 'log', { level: 'warn' }, /level is not a setting of a log notifier/],
  ]
  for (const [what, kind, settings, message] of wrong) {
    it(`is refused with ${what}`, () => {
      assert.throws(
        () => notifierKind(kind).open(settings, silentLog),
        (error: Error) => {
          assert.match(error.message, message)
          assert.doesNotMatch(error.message, /geheim/)
          return true
        },
      )
    })
  }

  it('is refused as an unknown kind', () => {
    for (const kind of ['pager', 'toString'])
      assert.throws(() => notifierKind(kind), /use one of webhook, mail, log/)
  })

  it('has settings that are all explained, those measured with their unit', () => {
    for (const { settings } of Object.values(NOTIFIER_KINDS)) {
      for (const { path, text, type, unit } of settingFields(settings)) {
        assert.notEqual(text, '', path)
        if (type === 'integer' && path !== 'port') assert.ok(unit, path)
      }
    }
  })
})
