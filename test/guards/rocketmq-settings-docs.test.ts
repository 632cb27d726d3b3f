import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { ROCKETMQ_SETTINGS_PAGE, rocketmqSettingsPage } from '../../scripts/rocketmq-settings-page.js'
import { rocketmqSettingsSchema } from '../../src/brokers/rocketmq/settings-schema.js'
import { settingFields } from '../../src/cli/settings.js'

const page = readFileSync(new URL(`../../${ROCKETMQ_SETTINGS_PAGE}`, import.meta.url), 'utf8')

/** Fields by which people know the settings from elsewhere. */
const FOREIGN_FIELDS = [
  ...['名称', '注册中心地址', '最小消费者线程数量', '最大消费者线程数量', '一次消费消息数量', '描述'],
  ...['记录访问请求到审计日志', '记录返回结果到文件日志', 'SLA服务质量监控'],
  ...['sendMsgTimeout', 'retryTimesWhenSendFailed', 'compressMsgBodyOverHowmuch', 'maxMessageSize'],
  ...['consumeThreadMin', 'consumeThreadMax', 'consumeMessageBatchMaxSize', 'maxReconsumeTimes'],
  ...['instanceName', 'namesrvAddr', 'messageModel', 'useTLS'],
]

function missing(text: string): string[] {
  const firstCells = [...text.matchAll(/^\| `?([^|`]+?)`?(?: \([^|)]*\))? \|/gm)].map(([, name]) => name)
  const ours = settingFields(rocketmqSettingsSchema).map(({ path }) => path)
  return [...ours, ...FOREIGN_FIELDS].filter((name) => !firstCells.includes(name))
}

describe('docs/rocketmq-settings.md', () => {
  it('is what the program makes of its own tables (else: npm run docs)', () => {
    assert.equal(page, rocketmqSettingsPage())
  })

  it('has a row for every setting, and for every field people know from elsewhere', () => {
    assert.deepEqual(missing(page), [])
  })

  it('is found out when it lacks one', () => {
    assert.deepEqual(missing(page.replaceAll('注册中心地址', '地址')), ['注册中心地址'])
  })

  it('gives every setting with a number its unit', () => {
    const bare = settingFields(rocketmqSettingsSchema).filter(
      ({ path, type, unit }) =>
        (type === 'integer' || type === 'number') && unit === undefined && path !== 'retries',
    )
    assert.deepEqual(bare, [])
  })
})
