// The page that leads people who know Kafka's settings by other names to ours.
import { CONSUMER_PROPERTIES } from '../src/brokers/kafka/consumer-properties.js'
import { HONOURED_PROPERTIES, REFUSED_PROPERTIES } from '../src/brokers/kafka/properties.js'
import { kafkaSettingsSchema } from '../src/brokers/kafka/settings-schema.js'
import { settingFields } from '../src/cli/settings.js'
import { type Correspondence, comparison, ownSections, SAME } from './settings-pages.js'

export const KAFKA_SETTINGS_PAGE = 'docs/kafka-settings.md'

/** Fields of the Kafka connector of Tencent Cloud iPaaS that concern connecting and publishing. */
const TENCENT: Correspondence[] = [
  {
    name: '集群地址 (cluster address)',
    theirDefault: '',
    ours: 'address',
    why: 'required; every host:port of the list is checked, and it may hold `@env(NAME)`',
  },
  {
    name: '集群 Kafka 版本 (Kafka version)',
    theirDefault: '1.1',
    ours: 'kafkaVersion',
    why: 'informational: what the brokers understand is asked of them, so there is nothing to guess',
  },
  {
    name: 'SASL 安全认证模式 (SASL mode)',
    theirDefault: 'PlainText',
    ours: 'sasl.mechanism',
    why: 'without `sasl` there is no login either; the mechanism counts only when `sasl` is given, and the safest one comes first',
  },
  { name: 'SASL 用户名 (user name)', theirDefault: '', ours: 'sasl.username', why: SAME },
  { name: 'SASL 密码 (password)', theirDefault: '', ours: 'sasl.password', why: 'the same; kept encrypted' },
  {
    name: 'SASL/SCRAM 加密类型 (SCRAM type)',
    theirDefault: '',
    ours: 'sasl.mechanism',
    why: '`scram-sha-256` or `scram-sha-512`: mode and type are one choice',
  },
  { name: '使能 TLS 安全传输协议 (TLS)', theirDefault: 'false', ours: 'ssl.enabled', why: SAME },
  {
    name: 'TLS 客户端证书 (client certificate)',
    theirDefault: '',
    ours: 'ssl.cert',
    why: 'PEM text and not a file, so that every worker has it; refused while TLS is off or without the key',
  },
  {
    name: 'TLS 客户端Key (client key)',
    theirDefault: '',
    ours: 'ssl.key',
    why: 'likewise; kept encrypted; must belong to the certificate',
  },
  {
    name: 'TLS 服务端证书 (server certificate)',
    theirDefault: '',
    ours: 'ssl.ca',
    why: 'likewise; the certificate of the authority that signed those of the brokers',
  },
  { name: '最大消息限制 (message limit)', theirDefault: '1000000', ours: 'maxMessageBytes', why: SAME },
  {
    name: '确认模式 (acknowledgement)',
    theirDefault: 'LeaderOnly',
    ours: 'acks',
    why: 'a message that only the leader has is lost with it; `leader` and `none` are there',
  },
  { name: '请求超时时间 (request timeout)', theirDefault: '10000', ours: 'requestTimeoutMs', why: SAME },
  {
    name: '幂等性使能开关 (idempotent)',
    theirDefault: 'false',
    ours: 'idempotent',
    why: 'a repeated send makes no duplicate, at no cost worth naming; needs `acks` all',
  },
  {
    name: '消息刷新到磁盘的数据量 (flush bytes)',
    theirDefault: '0',
    ours: 'flush.bytes',
    why: '0 is not set; needs `flush.intervalMs`, as a message could otherwise wait for ever',
  },
  {
    name: '消息刷新到磁盘的消息数量 (flush messages)',
    theirDefault: '0',
    ours: 'flush.messages',
    why: 'likewise',
  },
  {
    name: '消息刷新到磁盘的间隔时间 (flush interval)',
    theirDefault: '0',
    ours: 'flush.intervalMs',
    why: '0 is not set: what is ready goes at once. It is the only timer a message may wait for, and yours to set',
  },
  {
    name: '消息刷新的最大消息量 (flush max messages)',
    theirDefault: '0',
    ours: 'flush.maxMessages',
    why: '0 is not set: then 500 messages or 512 KiB go at once',
  },
]

const AT_TRIGGER = 'said by each [trigger](triggers.md)'

/** Fields of the same connector that concern consuming. */
const TENCENT_CONSUMER: Correspondence[] = [
  { name: '消费者组 (consumer group)', theirDefault: '', ours: null, why: `${AT_TRIGGER}: \`--group\`` },
  {
    name: '主题 (topics)',
    theirDefault: '',
    ours: null,
    why: `${AT_TRIGGER}: \`--topic\`, or \`--topic-pattern\` for a regular expression`,
  },
  {
    name: '消费者数量 (number of consumers)',
    theirDefault: '1',
    ours: 'consumer.concurrency',
    why: 'one member handles messages of all its partitions side by side, and not only as many as there are partitions; order is kept where the subscription asks for it',
  },
  {
    name: '消息确认模式 (acknowledgement mode)',
    theirDefault: '流运行成功后确认',
    ours: null,
    why: `${AT_TRIGGER}: \`--acknowledge\`, unless given once the engine has taken the message; \`completed\` is theirs ([why](adr/0016-accepted-is-consumed.md))`,
  },
  {
    name: '隔离级别 (isolation level)',
    theirDefault: 'Read Uncommitted',
    ours: 'consumer.isolationLevel',
    why: 'messages of an aborted transaction were never published in the eyes of their sender; `read-uncommitted` is there',
  },
  {
    name: '重试阻塞时间 (retry back-off)',
    theirDefault: '2000',
    ours: 'consumer.retryBackoffMs',
    why: 'the same, but the first pause in a row, which is 100 ms',
  },
  {
    name: '请求超时时间 (request timeout of consumers)',
    theirDefault: '30000',
    ours: 'consumer.requestTimeoutMs',
    why: SAME,
  },
  {
    name: '会话超时时间 (session timeout)',
    theirDefault: '10000',
    ours: 'consumer.sessionTimeoutMs',
    why: SAME,
  },
  { name: '心跳时间 (heartbeat)', theirDefault: '3000', ours: 'consumer.heartbeatIntervalMs', why: SAME },
  {
    name: 'Rebalance 检测频率 (rebalance timeout)',
    theirDefault: '60000',
    ours: 'consumer.rebalanceTimeoutMs',
    why: 'what this sets is how long members have to join again',
  },
  {
    name: 'Rebalance 策略 (rebalance strategy)',
    theirDefault: 'Range',
    ours: 'consumer.strategy',
    why: SAME,
  },
  {
    name: 'Rebalance 最大重试次数 (rebalance retries)',
    theirDefault: '4',
    ours: 'consumer.rebalanceRetries',
    why: 'the same for a subscription that begins; one that runs tries on for ever',
  },
  {
    name: 'Rebalance 重试阻塞时间 (rebalance back-off)',
    theirDefault: '2000',
    ours: 'consumer.rebalanceBackoffMs',
    why: SAME,
  },
  { name: '最小拉取数据量 (smallest fetch)', theirDefault: '1', ours: 'consumer.fetchMinBytes', why: SAME },
  {
    name: '默认拉取数据量 (default fetch)',
    theirDefault: '1048576',
    ours: 'consumer.partitionFetchBytes',
    why: 'the same, of each partition',
  },
  {
    name: '最大拉取数据量 (largest fetch)',
    theirDefault: '0',
    ours: 'consumer.fetchMaxBytes',
    why: 'in bytes and not in MiB; 0 is no limit but memory',
  },
  { name: '拉取阻塞时间 (fetch wait)', theirDefault: '250', ours: 'consumer.fetchWaitMs', why: SAME },
  {
    name: '提交频率 (commit interval)',
    theirDefault: '1000',
    ours: 'consumer.autoCommitIntervalMs',
    why: SAME,
  },
  {
    name: '初始偏移量 (initial offset)',
    theirDefault: 'Offset Newest',
    ours: 'consumer.initialPosition',
    why: 'the same; a subscription may say otherwise, and name a time',
  },
  {
    name: '偏移量保留的时间 (offset retention)',
    theirDefault: '0',
    ours: null,
    why: 'since Kafka 2.1 the brokers decide alone (`offsets.retention.minutes`, a week from the moment a group is empty); a client that asks for more is not heard',
  },
]

/** Fields of the Kafka adapter of AWS PaaS. */
const AWS_PAAS: Correspondence[] = [
  {
    name: '服务地址 (bootstrap.server)',
    theirDefault: '',
    ours: 'address',
    why: 'the same, `@env(xxx)` included',
  },
  {
    name: 'autoFlush',
    theirDefault: '',
    ours: 'flush.intervalMs',
    why: '0 sends at once what is ready, as autoFlush(true) does, without waiting for the answer of each message before the next',
  },
]

/** What an egress of StateFun is told. */
const STATEFUN: Correspondence[] = [
  { name: 'address', theirDefault: '', ours: 'address', why: SAME },
  {
    name: 'deliverySemantic.type',
    theirDefault: '',
    ours: 'deliverySemantic',
    why: 'the same words; exactly-once is refused until it is there, never lowered. A task may choose for its own message',
  },
  {
    name: 'deliverySemantic.transactionTimeoutMillis',
    theirDefault: '',
    ours: null,
    why: 'belongs to exactly-once: refused as `properties` `transaction.timeout.ms`',
  },
  {
    name: 'properties',
    theirDefault: '',
    ours: 'properties',
    why: 'the same precedence: a setting given by its own name wins. What cannot be honoured is refused, not ignored',
  },
]

export function kafkaSettingsPage(): string {
  const fields = new Map(settingFields(kafkaSettingsSchema).map((field) => [field.path, field]))
  return `${[
    '# Settings of a Kafka adapter, by the names you know',
    '',
    '<!-- Made by `npm run docs`; do not edit. -->',
    '',
    'A setting that cannot be honoured is refused when the adapter is saved, by its name and with what to do instead; none',
    'is ignored.',
    '',
    '## From the Kafka connector of Tencent Cloud iPaaS',
    '',
    ...comparison(TENCENT, fields),
    '',
    'Consuming, where the settings are those of each subscription through the adapter:',
    '',
    ...comparison(TENCENT_CONSUMER, fields),
    '',
    '## From the Kafka adapter of AWS PaaS',
    '',
    ...comparison(AWS_PAAS, fields),
    '',
    '## From the Kafka egress of StateFun',
    '',
    ...comparison(STATEFUN, fields),
    '',
    ...ownSections({
      clients: [
        {
          from: "From Kafka's Java producer",
          example: 'properties.linger.ms=5',
          honoured: HONOURED_PROPERTIES,
          refused: REFUSED_PROPERTIES,
        },
        {
          from: "From Kafka's Java consumer",
          example: 'consumer.properties.fetch.min.bytes=1024',
          ...CONSUMER_PROPERTIES,
        },
      ],
      fields,
      anchor: 'kafka',
    }),
    '',
    '## Notes',
    '',
    '- **Time.** A publish takes at most `flush.intervalMs` + `connectionTimeoutMs` + 2 × `requestTimeoutMs` + 1 s; the job',
    '  timeout (`BPMN_RELAY_JOB_TIMEOUT_MS`) must leave room for that, or the job is not started.',
    '- **Order.** Each partition has one send in flight. Messages of one key and one delivery semantic keep their order.',
    '- **Partitions.** A key leads to the partition of the default partitioner of the Java client; without a key, messages',
    '  go to one partition until a send has taken them, then to the next.',
    '- **Rate limit.** `maxMessagesPerSecond` holds for each worker by itself: with three workers, three times as many.',
    '  A job whose turn comes within a second waits in the worker; others go back to the engine, with `ADAPTER_RATE_LIMITED`',
    '  and their retries unchanged, until their turn is due. Nothing is dropped.',
    '- **Certificates** are given as PEM text. In a settings file a line break is `\\n`; from a shell,',
    '  `bpmn-relay env set KAFKA_CA "$(cat ca.pem)"` and `--setting \'ssl.ca=@env(KAFKA_CA)\'`.',
  ].join('\n')}\n`
}
