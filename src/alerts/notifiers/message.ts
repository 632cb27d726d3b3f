import { settingsInvalid } from '../../brokers/settings.js'
import { isMetricName, type MetricName, metricOf } from '../metrics.js'
import type { Notice, Severity } from '../notice.js'
import { valueText } from '../wording.js'

export type Language = 'en' | 'zh'

/** How people are to read a notice. */
export interface Wording {
  language: Language
  /** IANA name, such as Asia/Shanghai. */
  timeZone: string
}

/** A notice in words. */
export interface Message {
  /** One line. */
  title: string
  /** What happened, in one sentence; undefined where the facts say it all. */
  sentence: string | undefined
  facts: Fact[]
}

interface Fact {
  label: string
  value: string
}

/** Ends every message: who sends it, and a keyword that group robots can be told to look for. */
const SIGNATURE = 'bpmn-relay'

/** Characters; what an operator wrote may be as long as a book, messages may not. */
const LONGEST_LINE = 1000

interface Words {
  since: string
  lasted: string
  owners: string
  note: string
  test: string
  nothingWrong: string
  colon: string
  comma: string
  /** What belongs to what stands before it. */
  aside: (text: string) => string
  /** Days, hours, minutes, seconds. */
  units: [string, string, string, string]
  betweenUnits: string
}

const WORDS: Record<Language, Words> = {
  en: {
    since: 'Since',
    lasted: 'Lasted',
    owners: 'Owners',
    note: 'Note',
    test: 'Test',
    nothingWrong: 'This is a test of the notifier. Nothing is wrong.',
    colon: ': ',
    comma: ', ',
    aside: (text) => ` (${text})`,
    units: [' d', ' h', ' min', ' s'],
    betweenUnits: ' ',
  },
  zh: {
    since: '开始时间',
    lasted: '持续时间',
    owners: '负责人',
    note: '备注',
    test: '测试',
    nothingWrong: '这是一条测试通知，一切正常。',
    colon: '：',
    comma: '、',
    aside: (text) => `（${text}）`,
    units: ['天', '小时', '分钟', '秒'],
    betweenUnits: '',
  },
}

const SEVERITIES_IN_CHINESE: Record<Severity, string> = { info: '提示', warning: '警告', critical: '严重' }

/** What the sentences of notices call `label` of the metric. */
const METRICS_IN_CHINESE: Record<MetricName, string> = {
  error_rate: '错误率',
  errors: '失败调用数',
  calls: '调用数',
  held: '退回的任务数',
  p50: '耗时中位数',
  p95: '95% 耗时',
  p99: '99% 耗时',
  circuit_open: '熔断的工作进程数',
  trigger_lag: '未消费的消息数',
  trigger_silence: '消息服务器无应答时长',
  dead_letters: '死信数',
  spool_depth: '等待写入 Postgres 的记录数',
  poll_age: '流程引擎无应答时长',
  worker_silence: '无心跳时长',
  workers: '存活的工作进程数',
}

/** @throws RelayError SETTINGS_INVALID */
export function checkTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone })
  } catch {
    throw settingsInvalid(
      `timeZone "${timeZone}" is not known: use an IANA name such as UTC or Asia/Shanghai`,
    )
  }
}

/** A notice in words, short enough for the screen of a phone. */
export function messageOf(notice: Notice, wording: Wording): Message {
  const words = WORDS[wording.language]
  switch (notice.kind) {
    case 'test':
      return {
        title: `${words.test}${words.colon}${notice.policy}`,
        sentence: words.nothingWrong,
        facts: noteOf(notice, words),
      }
    case 'firing':
      return alertMessage(notice, wording, {
        label: words.since,
        value: moment(notice.since, wording.timeZone),
      })
    case 'resolved': {
      const from = moment(notice.since, wording.timeZone)
      const to = moment(notice.at, wording.timeZone)
      const length = duration(notice.at.getTime() - notice.since.getTime(), words)
      return alertMessage(notice, wording, {
        label: words.lasted,
        value: length + words.aside(`${from} – ${to}`),
      })
    }
  }
}

function alertMessage(notice: Notice, { language }: Wording, time: Fact): Message {
  const { severity, kind, policy, title, text, owners } = notice
  const words = WORDS[language]
  const people = owners.length > 0 ? [{ label: words.owners, value: owners.join(words.comma) }] : []
  const facts = [time, ...people, ...noteOf(notice, words)]
  switch (language) {
    case 'en':
      return { title: `[${severity}] ${title}`, sentence: text, facts }
    case 'zh': {
      const state = kind === 'resolved' ? '已恢复' : '告警'
      return {
        title: `【${SEVERITIES_IN_CHINESE[severity]}】${state}：${policy}`,
        sentence: undefined,
        facts: [...measuredInChinese(notice), ...facts],
      }
    }
  }
}

/** What the English sentence says; of a worker, whose name stands there alone, the sentence itself. */
function measuredInChinese({ adapter, metric, value, threshold, text }: Notice): Fact[] {
  const shown = (number: number) =>
    isMetricName(metric) ? valueText(number, metricOf(metric).unit) : String(number)
  return [
    adapter === null ? { label: '详情', value: text } : { label: '适配器', value: adapter },
    {
      label: isMetricName(metric) ? METRICS_IN_CHINESE[metric] : metric,
      value: `${value === null ? '-' : shown(value)}（阈值 ${shown(threshold)}）`,
    },
  ]
}

function noteOf({ note }: Notice, words: Words): Fact[] {
  return note === undefined || note === '' ? [] : [{ label: words.note, value: note }]
}

/** All of a message but its title, a line for each thing there is to say. */
export function linesOf({ sentence, facts }: Message, language: Language): string[] {
  const { colon } = WORDS[language]
  return [
    ...(sentence === undefined ? [] : [sentence]),
    ...facts.map(({ label, value }) => `${label}${colon}${value}`),
    SIGNATURE,
  ].map((line) => (line.length > LONGEST_LINE ? `${line.slice(0, LONGEST_LINE)}…` : line))
}

/** Such as `2026-01-31 08:00:00 UTC` or `2026-01-31 16:00:00 +08:00`. */
function moment(at: Date, timeZone: string): string {
  // Swedish writes dates as ISO 8601 does.
  const local = new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' })
  const zone = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
    .formatToParts(at)
    .find(({ type }) => type === 'timeZoneName')
  const offset = zone?.value.replace(/^GMT(\+00:00)?/, '') ?? ''
  return `${local.format(at)} ${offset === '' ? 'UTC' : offset}`
}

/** Its two largest units, such as `3 h 5 min`. */
function duration(ms: number, { units, betweenUnits }: Words): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const parts = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
    seconds % 60,
  ]
  const first = parts.findIndex((part) => part > 0)
  if (first === -1) return `0${units[3]}`
  return parts
    .map((part, index) => ({ part, unit: units[index] ?? '' }))
    .slice(first, first + 2)
    .filter(({ part }) => part > 0)
    .map(({ part, unit }) => `${part}${unit}`)
    .join(betweenUnits)
}
