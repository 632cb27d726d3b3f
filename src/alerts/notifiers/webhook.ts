import { validateHeaderName, validateHeaderValue } from 'node:http'
import { settingsBy, settingsInvalid } from '../../brokers/settings.js'
import { firstCertificate } from '../../brokers/tls.js'
import { messageOf, RelayError } from '../../core/errors.js'
import { saidBy } from './hidden.js'
import { type HttpAnswer, post } from './http-post.js'
import type { Deliver } from './kinds.js'
import { checkTimeZone } from './message.js'
import { SERVICES, type Verdict } from './services.js'
import { type Preset, type WebhookSettings, webhookSettingsSchema } from './settings.js'
import { standardKey } from './signatures.js'

/** Statuses besides 5xx that say: not now. */
const PASSING_STATUSES = [408, 425, 429]
const LONGEST_RETRY_AFTER_MS = 3_600_000

/** Set by the program, whatever the settings say. */
const OWN_HEADERS = /^(content-type|content-length|transfer-encoding|connection|host|webhook-.*)$/i

/** Posts notices to a URL. @throws RelayError SETTINGS_INVALID */
export function openWebhook(given: Record<string, unknown>): Deliver {
  const settings = settingsBy({ of: 'a webhook', schema: webhookSettingsSchema }, given)
  const url = parseUrl(settings)
  checkSecret(settings)
  checkTimeZone(settings.timeZone)
  const { preset, secret, timeoutMs, ca } = settings
  if (ca !== undefined) firstCertificate('ca', ca)
  const ownHeaders = checkedHeaders(settings.headers ?? {})
  const place = `${url.origin}/…`
  const secrets = secretsOf(url, settings)

  return async (notice) => {
    const { query = {}, headers = {}, body } = SERVICES[preset].request(notice, settings, secret, new Date())
    const target = new URL(url)
    for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value)
    const answer = await post(target, {
      headers: {
        'user-agent': 'bpmn-relay',
        ...ownHeaders,
        'content-type': 'application/json; charset=utf-8',
        ...headers,
      },
      body,
      timeoutMs,
      ca,
    }).catch((cause: unknown) => {
      throw new RelayError(
        'NOTIFIER_UNREACHABLE',
        `${place} could not be reached: ${saidBy(messageOf(cause), secrets)}`,
        { cause },
      )
    })
    const problem = problemWith(answer, preset, SERVICES[preset].verdict?.(answer))
    if (problem) {
      const { text, retryable, cure } = problem
      const wait = retryable ? retryAfterMs(answer) : undefined
      throw new RelayError(
        retryable ? 'NOTIFIER_UNREACHABLE' : 'NOTIFIER_REFUSED',
        `${place} ${saidBy(text, secrets)}${cure === undefined ? '' : `: ${cure}`}`,
        wait === undefined ? {} : { retryAfterMs: wait },
      )
    }
    return []
  }
}

interface Problem {
  text: string
  retryable: boolean
  cure: string | undefined
}

function problemWith(
  { status, text, header }: HttpAnswer,
  preset: Preset,
  verdict: Verdict | undefined,
): Problem | undefined {
  const isPassing = status >= 500 || PASSING_STATUSES.includes(status)
  if (verdict?.kind === 'refused') {
    const { reason, retryable, cure } = verdict
    return { text: `did not take the notice: ${reason}`, retryable: retryable || isPassing, cure }
  }
  if (status >= 200 && status < 300) {
    if (verdict?.kind !== 'unknown') return undefined
    const cure = 'correct the setting url or preset'
    return { text: `answered ${status}, but not as ${preset} does: ${text}`, retryable: true, cure }
  }
  if (status >= 300 && status < 400) {
    const location = header('location')
    const to = location !== undefined && URL.canParse(location) ? ` to ${new URL(location).origin}` : ''
    const cure = 'redirects are not followed, set url to where it leads'
    return { text: `answered ${status}, a redirect${to}`, retryable: false, cure }
  }
  return {
    text: `answered ${status}${text.trim() === '' ? '' : ` ${text}`}`,
    retryable: isPassing,
    cure: CURES[status],
  }
}

const CURES: Record<number, string> = {
  401: 'correct the settings url, secret and headers',
  403: 'correct the settings url, secret and headers',
  404: 'correct the setting url',
  410: 'there is nothing any more at this URL, correct the setting url',
}

/** When to try again, as far as the answer says. */
function retryAfterMs({ header }: HttpAnswer): number | undefined {
  // The latter is Feishu's.
  const given = header('retry-after') ?? header('x-ogw-ratelimit-reset')
  if (given === undefined) return undefined
  const ms = /^\d+$/.test(given.trim()) ? Number(given) * 1000 : Date.parse(given) - Date.now()
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS)
}

/** Where each service is to be posted to. To it, the JSON of generic is a wrong message that it may answer with 200. */
const HOSTS: [host: RegExp, preset: Preset][] = [
  [/^oapi\.dingtalk\.(com|io)$/, 'dingtalk'],
  [/^qyapi\.weixin\.qq\.com$/, 'wecom'],
  [/^open\.(feishu\.cn|larksuite\.com)$/, 'feishu'],
  [/^hooks\.slack\.com$/, 'slack'],
  [/(\.logic\.azure\.com|\.api\.powerplatform\.com)$/, 'teams'],
]

function parseUrl({ url: text, preset }: WebhookSettings): URL {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw settingsInvalid('url is no http(s) URL: give it whole, such as https://example.com/alerts')
  }
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') {
    throw settingsInvalid('url holds a login: give it as the setting headers.Authorization instead')
  }
  if (/(^|\.)webhook\.office\.com$/.test(url.hostname)) {
    throw settingsInvalid(
      'url is that of an Office 365 connector, which Microsoft has retired: make a workflow "Send webhook alerts to a channel" in Teams and give its URL, with preset teams',
    )
  }
  const [, meant] = HOSTS.find(([host]) => host.test(url.hostname)) ?? []
  if (meant !== undefined && meant !== preset) {
    throw settingsInvalid(`preset is ${preset}, but url leads to ${url.hostname}: set preset to ${meant}`)
  }
  return url
}

function checkSecret({ preset, secret }: WebhookSettings): void {
  if (secret === undefined) return
  if (!SERVICES[preset].signs) {
    throw settingsInvalid(`secret is set, but preset ${preset} signs nothing: remove it`)
  }
  if (preset === 'generic' && standardKey(secret) === undefined) {
    throw settingsInvalid(
      'secret is not "whsec_" with 24 to 64 bytes as base64: use "whsec_" and the output of `openssl rand -base64 32`',
    )
  }
}

function checkedHeaders(headers: Record<string, string>): Record<string, string> {
  for (const [name, value] of Object.entries(headers)) {
    if (OWN_HEADERS.test(name)) {
      throw settingsInvalid(`headers.${name} is set by the program itself: remove it`)
    }
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch {
      throw settingsInvalid(
        `headers.${name} cannot be sent: names of headers are letters, digits and "-", values one line of Latin characters`,
      )
    }
  }
  return headers
}

/** What must not be shown even where the far side repeats it. */
function secretsOf(url: URL, { secret, headers = {} }: WebhookSettings): string[] {
  const values = Object.values(headers)
  return [
    url.pathname + url.search,
    ...url.pathname.split('/'),
    ...url.searchParams.values(),
    ...(secret === undefined ? [] : [secret]),
    ...values,
    // Of "Bearer abc" the latter alone.
    ...values.flatMap((value) => value.split(' ')),
  ]
}
