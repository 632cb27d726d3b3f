import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { KAFKA_SETTINGS_PAGE, kafkaSettingsPage } from '../../scripts/kafka-settings-page.js'
import { kafkaSettingsSchema } from '../../src/brokers/kafka/settings-schema.js'
import { settingFields } from '../../src/cli/settings.js'

const page = readFileSync(new URL(`../../${KAFKA_SETTINGS_PAGE}`, import.meta.url), 'utf8')

/** Fields by which people know the settings from elsewhere. */
const FOREIGN_FIELDS = [
  ...['集群地址', '集群 Kafka 版本', 'SASL 安全认证模式', 'SASL 用户名', 'SASL 密码', 'SASL/SCRAM 加密类型'],
  ...['使能 TLS 安全传输协议', 'TLS 客户端证书', 'TLS 客户端Key', 'TLS 服务端证书'],
  ...['最大消息限制', '确认模式', '请求超时时间', '幂等性使能开关'],
  ...[
    '消息刷新到磁盘的数据量',
    '消息刷新到磁盘的消息数量',
    '消息刷新到磁盘的间隔时间',
    '消息刷新的最大消息量',
  ],
  ...[
    '消费者组',
    '主题',
    '消费者数量',
    '消息确认模式',
    '隔离级别',
    '重试阻塞时间',
    '会话超时时间',
    '心跳时间',
  ],
  ...['Rebalance 检测频率', 'Rebalance 策略', 'Rebalance 最大重试次数', 'Rebalance 重试阻塞时间'],
  ...[
    '最小拉取数据量',
    '默认拉取数据量',
    '最大拉取数据量',
    '拉取阻塞时间',
    '提交频率',
    '初始偏移量',
    '偏移量保留的时间',
  ],
  ...['fetch.min.bytes', 'session.timeout.ms', 'partition.assignment.strategy', 'enable.auto.commit'],
  ...[
    '服务地址',
    'autoFlush',
    'deliverySemantic.type',
    'deliverySemantic.transactionTimeoutMillis',
    'properties',
  ],
  ...[
    'linger.ms',
    'buffer.memory',
    'batch.size',
    'acks',
    'retries',
    'enable.idempotence',
    'transactional.id',
  ],
]

function missing(text: string): string[] {
  const firstCells = [...text.matchAll(/^\| `?([^|`]+?)`?(?: \([^|)]*\))? \|/gm)].map(([, name]) => name)
  const ours = settingFields(kafkaSettingsSchema).map(({ path }) => path)
  return [...ours, ...FOREIGN_FIELDS].filter((name) => !firstCells.includes(name))
}

describe('docs/kafka-settings.md', () => {
  it('is what the program makes of its own tables (else: npm run docs)', () => {
    assert.equal(page, kafkaSettingsPage())
  })

  it('has a row for every setting, and for every field people know from elsewhere', () => {
    assert.deepEqual(missing(page), [])
  })

  it('is found out when it lacks one', () => {
    assert.deepEqual(missing(page.replaceAll('最大消息限制', '消息限制')), ['最大消息限制'])
  })

  it('gives every setting with a number its unit', () => {
    const bare = settingFields(kafkaSettingsSchema).filter(
      ({ path, type, unit }) =>
        (type === 'integer' || type === 'number') && unit === undefined && path !== 'retries',
    )
    assert.deepEqual(bare, [])
  })
})
