import { createTransport } from 'nodemailer'
import addressparser from 'nodemailer/lib/addressparser'
import { settingsBy, settingsInvalid } from '../../brokers/settings.js'
import { firstCertificate } from '../../brokers/tls.js'
import { codeOf, RelayError, messageOf as textOf } from '../../core/errors.js'
import type { Notice } from '../notice.js'
import { saidBy } from './hidden.js'
import type { Deliver } from './kinds.js'
import { checkTimeZone, linesOf, messageOf } from './message.js'
import { type MailSettings, mailSettingsSchema } from './settings.js'

const PORTS: Record<MailSettings['tls'], number> = { starttls: 587, implicit: 465, none: 25 }
const ADDRESS = /^[^\s@<>(),;:"\\]+@[^\s@<>(),;:"\\]+$/

/** Sends notices by mail. @throws RelayError SETTINGS_INVALID */
export function openMail(given: Record<string, unknown>): Deliver {
  const settings = settingsBy({ of: 'a mail notifier', schema: mailSettingsSchema }, given)
  const { host, tls, port = PORTS[tls], user, password, ca, timeoutMs, addOwners } = settings
  if ((user === undefined) !== (password === undefined)) {
    const [present, missing] = user === undefined ? ['password', 'user'] : ['user', 'password']
    throw settingsInvalid(`${present} is set but ${missing} is not: a login needs both`)
  }
  if (ca !== undefined && tls === 'none') {
    throw settingsInvalid('ca is set but tls is none: set tls to starttls or implicit, or remove ca')
  }
  if (ca !== undefined) firstCertificate('ca', ca)
  checkTimeZone(settings.timeZone)
  const [from] = addressesOf('from', settings.from)
  const to = addressesOf('to', settings.to)
  const server = `the mail server ${host}:${port}`

  const transport = createTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    ...(user !== undefined && { auth: { user, pass: password } }),
    // Verified whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    tls: { rejectUnauthorized: true, ...(ca !== undefined && { ca }) },
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    dnsTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  })

  return async (notice) => {
    const message = messageOf(notice, settings)
    const signal = AbortSignal.timeout(timeoutMs)
    const sent = transport.sendMail({
      from,
      to: addOwners ? [...to, ...ownersAmong(notice.owners)] : to,
      subject: message.title,
      text: `${linesOf(message, settings.language).join('\n')}\n`,
      ...identityOf(notice),
      signal,
    })
    const { rejected } = await sent.catch((error: unknown) => {
      throw mailError(error, server, signal.aborted ? timeoutMs : undefined, password)
    })
    return rejected.map((address) => `${server} does not take mail for ${address}`)
  }
}

/** The same on each attempt, so that readers of mail can tell repeated ones; those of one alert are a conversation. */
function identityOf({ id, alertId }: Notice) {
  const reference = (text: string) => `<${text.replaceAll(/[^\w.-]+/g, '-')}@bpmn-relay>`
  return {
    messageId: reference(id),
    ...(alertId !== null && { references: reference(`alert-${alertId}`) }),
    // Keeps absence notices from being sent back.
    headers: { 'Auto-Submitted': 'auto-generated' },
  }
}

function ownersAmong(owners: readonly string[]): string[] {
  return owners.filter((owner) => ADDRESS.test(owner))
}

function addressesOf(field: 'from' | 'to', text: string): { name: string; address: string }[] {
  const found = addressparser(text, { flatten: true })
  const wrong = found.find(({ address }) => !ADDRESS.test(address))
  if (found.length === 0 || wrong) {
    throw settingsInvalid(
      `${field} ${JSON.stringify(text)} holds ${wrong ? `"${wrong.address || wrong.name}", which is no mail address` : 'no mail address'}: write it like ops@example.com, several separated by commas`,
    )
  }
  if (field === 'from' && found.length > 1) {
    throw settingsInvalid(`from ${JSON.stringify(text)} names several senders: give one address`)
  }
  return found
}

/** Codes of nodemailer for what a server says of the login, and of sender and recipients. */
const CURES: Record<string, string> = {
  EAUTH: 'correct the settings user and password',
  EENVELOPE: 'correct the settings from and to',
  ETLS: 'correct the setting tls, or set ca to the authority of the server',
}

/** @param limitMs the time limit, where that ended it. */
function mailError(
  error: unknown,
  server: string,
  limitMs: number | undefined,
  password: string | undefined,
): RelayError {
  if (limitMs !== undefined) {
    return new RelayError('NOTIFIER_UNREACHABLE', `${server} did not take the mail within ${limitMs} ms`)
  }
  const code = codeOf(error) ?? ''
  const status =
    error instanceof Error && 'responseCode' in error && typeof error.responseCode === 'number'
      ? error.responseCode
      : undefined
  const said = saidBy(textOf(error), password === undefined ? [] : [password])
  const cure = CURES[code] === undefined ? '' : `: ${CURES[code]}`
  // 4xx: not now. Without a status the connection failed.
  const isPassing = status === undefined ? code !== 'EENVELOPE' : status < 500
  return isPassing
    ? new RelayError('NOTIFIER_UNREACHABLE', `${server} did not take the mail: ${said}${cure}`)
    : new RelayError('NOTIFIER_REFUSED', `${server} refused the mail: ${said}${cure}`)
}
