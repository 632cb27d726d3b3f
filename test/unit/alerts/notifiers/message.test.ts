import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { linesOf, messageOf } from '../../../../src/alerts/notifiers/message.js'
import { notice } from '../../../helpers/notice.js'

const EN = { language: 'en', timeZone: 'UTC' } as const
const ZH = { language: 'zh', timeZone: 'Asia/Shanghai' } as const

describe('the message of a notice', () => {
  it('says in English what fires, since when and whose it is', () => {
    const message = messageOf(notice(), EN)
    assert.equal(message.title, '[critical] Firing: orders-errors (orders)')
    assert.deepEqual(linesOf(message, 'en'), [
      'Error rate of adapter "orders" is 12.5 % (> 5 %) over the last 5 min.',
      'Since: 2026-01-31 08:00:00 UTC',
      'Owners: alice, bob@example.com',
      'bpmn-relay',
    ])
  })

  it('says in Chinese where, what was measured, since when and whose it is', () => {
    const message = messageOf(notice({ note: '正在处理' }), ZH)
    assert.equal(message.title, '【严重】告警：orders-errors')
    assert.deepEqual(linesOf(message, 'zh'), [
      '适配器：orders',
      '错误率：12.5 %（阈值 5 %）',
      '开始时间：2026-01-31 16:00:00 +08:00',
      '负责人：alice、bob@example.com',
      '备注：正在处理',
      'bpmn-relay',
    ])
  })

  it('says of what is over how long it lasted', () => {
    const over = notice({ kind: 'resolved', title: 'Resolved: orders-errors (orders)', owners: [] })
    const ended = { ...over, at: new Date('2026-01-31T11:05:10Z') }
    assert.deepEqual(messageOf(ended, EN).facts, [
      { label: 'Lasted', value: '3 h 5 min (2026-01-31 08:00:00 UTC – 2026-01-31 11:05:10 UTC)' },
    ])
    const { title, facts } = messageOf(ended, ZH)
    assert.equal(title, '【严重】已恢复：orders-errors')
    assert.match(facts.at(-1)?.value ?? '', /^3小时5分钟（/)
  })

  it('is recognised as a test', () => {
    const test = notice({ kind: 'test', policy: 'ops' })
    assert.deepEqual(messageOf(test, EN), {
      title: 'Test: ops',
      sentence: 'This is a test of the notifier. Nothing is wrong.',
      facts: [],
    })
    assert.equal(messageOf(test, ZH).title, '测试：ops')
  })

  it('stays short, however long the note', () => {
    const lines = linesOf(messageOf(notice({ note: 'x'.repeat(50_000) }), EN), 'en')
    assert.ok(lines.join('\n').length < 1500)
  })

  it('tells what was measured of a worker in the words of the notice, and nothing that was not measured', () => {
    const text = 'Silence of worker "w1": there is nothing to measure any more.'
    const { facts } = messageOf(
      notice({ value: null, adapter: null, metric: 'worker_silence', threshold: 30, text }),
      ZH,
    )
    assert.deepEqual(facts.slice(0, 2), [
      { label: '详情', value: text },
      { label: '无心跳时长', value: '-（阈值 30 s）' },
    ])
  })
})
