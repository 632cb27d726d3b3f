import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import type { Notice } from '../notice.js'
import type { HttpAnswer } from './http-post.js'
import { linesOf, type Message, messageOf, type Wording } from './message.js'
import type { Preset } from './settings.js'
import { signDingtalk, signFeishu, signStandard, standardKey } from './signatures.js'

export interface WebhookRequest {
  query?: Record<string, string>
  headers?: Record<string, string>
  /** JSON text. */
  body: string
}

/** What a service says of a request in the body of its answer, whatever the HTTP status. */
export type Verdict =
  | { kind: 'taken' }
  | { kind: 'refused'; reason: string; retryable: boolean; cure: string | undefined }
  /** It does not answer like this service. */
  | { kind: 'unknown' }

/** A chat service, or a receiver of the operator's own. */
interface Service {
  /** Whether requests can be signed. */
  signs: boolean
  request(notice: Notice, wording: Wording, secret: string | undefined, now: Date): WebhookRequest
  /** Absent: the HTTP status says it all. */
  verdict?(answer: HttpAnswer): Verdict
}

/** Longest content of a markdown message of WeCom. */
const WECOM_BYTES = 4096
/** Longest texts of these blocks of Slack. */
const SLACK_HEADER = 150
const SLACK_SECTION = 3000
const FEISHU_COLOURS: Record<Notice['kind'], string> = { firing: 'red', resolved: 'green', test: 'blue' }

export const SERVICES: Record<Preset, Service> = {
  generic: {
    signs: true,
    request(notice, _wording, secret, now) {
      const seconds = Math.floor(now.getTime() / 1000)
      const { at, ...data } = notice
      const body = JSON.stringify({ type: `alert.${notice.kind}`, timestamp: at, data })
      const key = secret === undefined ? undefined : standardKey(secret)
      return {
        headers: {
          'webhook-id': notice.id,
          'webhook-timestamp': String(seconds),
          ...(key && { 'webhook-signature': signStandard(key, notice.id, seconds, body) }),
        },
        body,
      }
    },
  },

  dingtalk: {
    signs: true,
    request(notice, wording, secret, now) {
      const { title, text } = textsOf(notice, wording, '\n\n')
      const milliseconds = now.getTime()
      return {
        ...(secret !== undefined && {
          query: { timestamp: String(milliseconds), sign: signDingtalk(secret, milliseconds) },
        }),
        body: JSON.stringify({ msgtype: 'markdown', markdown: { title, text: `### ${title}\n\n${text}` } }),
      }
    },
    verdict: byErrcode({
      // Busy; more than 20 messages a minute, twice.
      passing: [-1, 130101, 410100],
      cures: {
        310000: `the robot's security settings refuse it: correct the setting secret, or let the robot ask for the keyword "bpmn-relay", which all messages have, or for an address of this machine`,
        400101: 'the token in the setting url is not valid: copy the URL of the robot again',
      },
    }),
  },

  wecom: {
    signs: false,
    request(notice, wording) {
      const { title, text } = textsOf(notice, wording, '\n')
      return {
        body: JSON.stringify({
          msgtype: 'markdown',
          markdown: { content: cut(`**${title}**\n${text}`, WECOM_BYTES) },
        }),
      }
    },
    verdict: byErrcode({
      // Busy; more than 20 messages a minute; too many at once.
      passing: [-1, 45009, 45033],
      cures: { 93000: 'the key in the setting url is not valid: copy the URL of the robot again' },
    }),
  },

  feishu: {
    signs: true,
    request(notice, wording, secret, now) {
      const { title, text } = textsOf(notice, wording, '\n')
      const seconds = Math.floor(now.getTime() / 1000)
      return {
        body: JSON.stringify({
          ...(secret !== undefined && { timestamp: String(seconds), sign: signFeishu(secret, seconds) }),
          msg_type: 'interactive',
          card: {
            header: { title: { tag: 'plain_text', content: title }, template: FEISHU_COLOURS[notice.kind] },
            elements: [{ tag: 'div', text: { tag: 'plain_text', content: text } }],
          },
        }),
      }
    },
    verdict: feishuVerdict,
  },

  slack: {
    signs: false,
    request(notice, wording) {
      const { title, text } = textsOf(notice, wording, '\n')
      return {
        body: JSON.stringify({
          // What notifications show; unlike the plain texts below it is markup.
          text: title.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
          blocks: [
            { type: 'header', text: { type: 'plain_text', text: title.slice(0, SLACK_HEADER) } },
            { type: 'section', text: { type: 'plain_text', text: text.slice(0, SLACK_SECTION) } },
          ],
        }),
      }
    },
  },

  teams: {
    signs: false,
    request(notice, wording) {
      const message = messageOf(notice, wording)
      return {
        body: JSON.stringify({
          type: 'message',
          attachments: [
            {
              contentType: 'application/vnd.microsoft.card.adaptive',
              contentUrl: null,
              content: adaptiveCard(message, wording),
            },
          ],
        }),
      }
    },
  },
}

function textsOf(notice: Notice, wording: Wording, lineBreak: string): { title: string; text: string } {
  const message = messageOf(notice, wording)
  return { title: message.title, text: linesOf(message, wording.language).join(lineBreak) }
}

/** A card of the version that all clients of Teams show, mobile ones too. */
function adaptiveCard(message: Message, { language }: Wording): object {
  const lines = linesOf(message, language).map((text) => ({
    type: 'TextBlock',
    text,
    wrap: true,
    spacing: 'Small',
  }))
  return {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.2',
    body: [
      { type: 'TextBlock', text: message.title, wrap: true, weight: 'Bolder', size: 'Medium' },
      ...lines,
    ],
  }
}

const ErrcodeAnswer = Type.Object({ errcode: Type.Integer(), errmsg: Type.Optional(Type.String()) })

/** Reads the answers of DingTalk and WeCom, which are HTTP 200 also where a message is refused. */
function byErrcode({ passing, cures }: { passing: number[]; cures: Record<number, string> }) {
  return ({ text }: HttpAnswer): Verdict => {
    const answer = read(ErrcodeAnswer, text)
    if (answer === undefined) return { kind: 'unknown' }
    const { errcode, errmsg = '' } = answer
    if (errcode === 0) return { kind: 'taken' }
    return {
      kind: 'refused',
      reason: `errcode ${errcode} ${errmsg}`.trimEnd(),
      retryable: passing.includes(errcode),
      cure: cures[errcode],
    }
  }
}

const FeishuAnswer = Type.Object({ code: Type.Integer(), msg: Type.Optional(Type.String()) })

const FEISHU_CURES: Record<number, string> = {
  19021: 'correct the setting secret and the clock of this machine',
  19022: "add an address of this machine to those of the robot's security settings",
  19024: 'let the robot ask for the keyword "bpmn-relay", which all messages have',
}
/** Too many at this moment; too many for this robot. */
const FEISHU_PASSING = [11232, 99991400]

function feishuVerdict({ text }: HttpAnswer): Verdict {
  const answer = read(FeishuAnswer, text)
  if (answer === undefined) return { kind: 'unknown' }
  const { code, msg = '' } = answer
  if (code === 0) return { kind: 'taken' }
  // 9499 is what it calls bad requests, but too many requests too.
  const isTooMany = code === 9499 && /too many/i.test(msg)
  return {
    kind: 'refused',
    reason: `code ${code} ${msg}`.trimEnd(),
    retryable: FEISHU_PASSING.includes(code) || isTooMany,
    cure: FEISHU_CURES[code],
  }
}

function read<const S extends TSchema>(schema: S, text: string): Static<S> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return Value.Check(schema, value) ? value : undefined
  } catch {
    return undefined
  }
}

/** The beginning of a text that fits into so many bytes of UTF-8. */
function cut(text: string, bytes: number): string {
  return new TextDecoder().decode(Buffer.from(text).subarray(0, bytes), { stream: true })
}
