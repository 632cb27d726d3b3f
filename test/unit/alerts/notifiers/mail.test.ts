import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { Notice } from '../../../../src/alerts/notice.js'
import { notifierKind } from '../../../../src/alerts/notifiers/kinds.js'
import { type RelayError, toRelayError } from '../../../../src/core/errors.js'
import { silentLog } from '../../../../src/core/log.js'
import { type Certificate, makeAuthority, makeCertificate } from '../../../helpers/certificates.js'
import { LOGIN, mailServer, smtpError } from '../../../helpers/mail-server.js'
import { notice } from '../../../helpers/notice.js'
import { deadAddress, hangingServer } from '../../../helpers/unwell-servers.js'

const PEOPLE = { from: 'Relay <relay@example.com>', to: 'ops@example.com' }

async function deliver(settings: Record<string, unknown>, told: Notice = notice()): Promise<string[]> {
  return await notifierKind('mail').open({ ...PEOPLE, ...settings }, silentLog)(told)
}

async function failureOf(settings: Record<string, unknown>): Promise<RelayError> {
  return await deliver(settings).then(() => assert.fail('it was delivered'), toRelayError)
}

let folder: string
let authority: Certificate
let tls: { cert: string; key: string }

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'mail-'))
  authority = await makeAuthority(folder, 'authority')
  const { cert, key } = await makeCertificate(folder, 'mail', authority, 'IP:127.0.0.1')
  tls = { cert, key }
})
after(() => rm(folder, { recursive: true }))

describe('a mail', () => {
  it('has the title as subject and says the rest in plain text', async (t) => {
    const { settings, mails } = await mailServer(t)
    assert.deepEqual(await deliver({ ...settings, tls: 'none' }), [])
    const [mail] = mails
    assert.ok(mail && mails.length === 1)
    assert.deepEqual([mail.from, mail.to], ['relay@example.com', ['ops@example.com']])
    assert.match(mail.text, /^From: Relay <relay@example\.com>\r$/m)
    assert.match(mail.text, /^Subject: \[critical\] Firing: orders-errors \(orders\)\r$/m)
    assert.match(mail.text, /^Auto-Submitted: auto-generated\r$/m)
    assert.match(mail.text, /^Since: 2026-01-31 08:00:00 UTC\r$/m)
  })

  it('has the same id on each attempt, and belongs to the others of its alert', async (t) => {
    const { settings, mails } = await mailServer(t)
    const told = notice()
    await deliver({ ...settings, tls: 'none' }, told)
    await deliver({ ...settings, tls: 'none' }, told)
    await deliver({ ...settings, tls: 'none' }, { ...told, id: 'other', kind: 'resolved' })
    const header = (name: string) =>
      mails.map((mail) => new RegExp(`^${name}: (.*)\r$`, 'm').exec(mail.text)?.[1])
    const [first, second, third] = header('Message-ID')
    assert.equal(first, `<${told.id}@bpmn-relay>`)
    assert.equal(second, first)
    assert.notEqual(third, first)
    assert.equal(new Set(header('References')).size, 1)
  })

  it('goes to the owners that are addresses, if asked to', async (t) => {
    const { settings, mails } = await mailServer(t)
    await deliver({ ...settings, tls: 'none', addOwners: true })
    assert.deepEqual(mails[0]?.to, ['ops@example.com', 'bob@example.com'])
  })

  it('is Chinese if asked to', async (t) => {
    const { settings, mails } = await mailServer(t)
    await deliver({ ...settings, tls: 'none', language: 'zh' })
    assert.match(mails[0]?.text ?? '', /^Subject: =\?UTF-8\?/m)
  })

  for (const mode of ['starttls', 'implicit']) {
    it(`goes encrypted with tls ${mode}, after a login`, async (t) => {
      const { settings, mails } = await mailServer(t, {
        ...tls,
        secure: mode === 'implicit',
        authOptional: false,
      })
      await deliver({ ...settings, ...LOGIN, tls: mode, ca: authority.cert })
      assert.equal(mails[0]?.secure, true)
    })
  }
})

describe('a mail server', () => {
  it('that offers no STARTTLS gets nothing', async (t) => {
    const { settings, mails } = await mailServer(t, { disabledCommands: ['STARTTLS'] })
    const error = await failureOf(settings)
    assert.equal(error.code, 'NOTIFIER_REFUSED')
    assert.match(error.message, /STARTTLS.*correct the setting tls/)
    assert.deepEqual(mails, [])
  })

  it('whose certificate cannot be verified gets nothing', async (t) => {
    const { settings, mails } = await mailServer(t, tls)
    const error = await failureOf(settings)
    assert.match(error.message, /certificate|self-signed/)
    assert.deepEqual(mails, [])
  })

  it('that does not accept the login says so, and no secret is told', async (t) => {
    const { settings } = await mailServer(t, {
      ...tls,
      onAuth: ({ password }, _session, done) => done(smtpError(535, `no user with ${password}`)),
    })
    const error = await failureOf({ ...settings, ...LOGIN, ca: authority.cert })
    assert.deepEqual([error.code, error.retryable], ['NOTIFIER_REFUSED', false])
    assert.match(error.message, /535.*\*\*\*: correct the settings user and password/)
    assert.doesNotMatch(error.message, /in-the-open/)
  })

  it('that cannot take a login just now may be tried again', async (t) => {
    const { settings } = await mailServer(t, {
      ...tls,
      onAuth: (_auth, _session, done) => done(smtpError(454, 'temporary failure')),
    })
    const error = await failureOf({ ...settings, ...LOGIN, ca: authority.cert })
    assert.deepEqual([error.code, error.retryable], ['NOTIFIER_UNREACHABLE', true])
    assert.match(error.message, /454/)
  })

  it('that takes no mail for the recipient refuses it for good', async (t) => {
    const { settings } = await mailServer(t, {
      onRcptTo: (_address, _session, done) => done(smtpError(550, 'no such user')),
    })
    const error = await failureOf({ ...settings, tls: 'none' })
    assert.deepEqual([error.code, error.retryable], ['NOTIFIER_REFUSED', false])
    assert.match(error.message, /550 no such user: correct the settings from and to/)
  })

  it('that takes it for one recipient of two has delivered it, which is told', async (t) => {
    const { settings, mails } = await mailServer(t, {
      onRcptTo: ({ address }, _session, done) =>
        address.startsWith('gone') ? done(smtpError(550, 'no such user')) : done(),
    })
    const problems = await deliver({ ...settings, tls: 'none', to: 'gone@example.com,ops@example.com' })
    assert.match(problems.join(), /does not take mail for gone@example\.com$/)
    assert.deepEqual(mails[0]?.to, ['ops@example.com'])
  })

  it('that asks to come again may be tried again', async (t) => {
    const { settings } = await mailServer(t, {
      onMailFrom: (_address, _session, done) => done(smtpError(451, 'greylisted')),
    })
    const error = await failureOf({ ...settings, tls: 'none' })
    assert.deepEqual([error.code, error.retryable], ['NOTIFIER_UNREACHABLE', true])
    assert.match(error.message, /451 greylisted/)
  })

  it('that says nothing is given up in time', async (t) => {
    const [host, port] = (await hangingServer(t)).address.split(':')
    const error = await failureOf({ host, port, timeoutMs: 200 })
    assert.equal(error.code, 'NOTIFIER_UNREACHABLE')
    assert.match(error.message, /did not take the mail within 200 ms/)
  })

  it('that is not there may be tried again', async () => {
    const [host, port] = (await deadAddress()).split(':')
    const error = await failureOf({ host, port })
    assert.equal(error.code, 'NOTIFIER_UNREACHABLE')
    assert.match(error.message, /ECONNREFUSED/)
  })
})
