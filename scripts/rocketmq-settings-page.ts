// The page that leads people who know RocketMQ's settings by other names to ours.
import { HONOURED_PROPERTIES, REFUSED_PROPERTIES } from '../src/brokers/rocketmq/properties.js'
import { rocketmqSettingsSchema } from '../src/brokers/rocketmq/settings-schema.js'
import { settingFields } from '../src/cli/settings.js'
import { markdownTable } from './doc-pages.js'
import { type Correspondence, comparison, ownSections, SAME } from './settings-pages.js'

export const ROCKETMQ_SETTINGS_PAGE = 'docs/rocketmq-settings.md'

/** Fields of the RocketMQ adapter of AWS PaaS that concern RocketMQ itself. */
const AWS_PAAS: Correspondence[] = [
  {
    name: '注册中心地址 (name server)',
    theirDefault: '',
    ours: 'address',
    why: 'required; `host:port;host:port`, each part is checked, and it may hold `@env(NAME)`. With `protocol` grpc: one proxy',
  },
  {
    name: '最小消费者线程数量 (consumeThreadMin)',
    theirDefault: '20',
    ours: 'consumeThreadMin',
    why: '[0, 1000]; 0 means 20, the default of the Java client, and it must not be above the most. Nothing waits idle here, so it has no further effect',
  },
  {
    name: '最大消费者线程数量 (consumeThreadMax)',
    theirDefault: '20',
    ours: 'consumeThreadMax',
    why: '[0, 1000]; 0 means 20. So many messages are handled at the same time; the Java client, whose queue before the threads never fills, stays at the least',
  },
  {
    name: '一次消费消息数量 (consumeMessageBatchMaxSize)',
    theirDefault: '1',
    ours: 'consumeMessageBatchMaxSize',
    why: 'the same; up to 1024',
  },
]

/** Its other fields, which every kind of adapter has. */
const AWS_PAAS_ADAPTER: string[][] = [
  ['名称 (name)', '`--name`', 'unique; tasks may name it instead of the id'],
  ['模型ID (model id)', 'the id', 'given by the program: `bpmn-relay adapter list`'],
  ['描述 (description)', '`--description`', SAME],
  [
    '记录访问请求到审计日志 (audit requests)',
    '`--no-audit`',
    'on unless turned off: a call nobody can look up helps nobody; the row holds masked, shortened payloads',
  ],
  ['记录返回结果到文件日志 (log results)', '`--log-results`', 'off unless turned on, as theirs'],
  ['SLA服务质量监控 (SLA monitoring)', '`--no-sla`', 'on unless turned off: calls, errors and durations'],
  ['受管 (managed)', '`bpmn-relay apply`', 'says that a file keeps the adapter: [modules](modules.md)'],
  ['应用信息 (application)', 'none yet', 'kept for each adapter, without a command that changes it'],
  ['DevOps (developers, maintainers)', 'none yet', 'likewise'],
]

/** What rocketmq-spring sets unless told otherwise; its names are those of the Java client. */
const JAVA_DEFAULTS: Correspondence[] = [
  { name: 'sendMsgTimeout', theirDefault: '3000', ours: 'sendTimeoutMs', why: SAME },
  {
    name: 'retryTimesWhenSendFailed',
    theirDefault: '2',
    ours: 'retries',
    why: 'the same; all attempts carry one message id, and the body is the same in each',
  },
  {
    name: 'compressMsgBodyOverHowmuch',
    theirDefault: '4096',
    ours: 'compressOverBytes',
    why: '0 is never: what is compressed over remoting cannot be read by every consumer of a gRPC proxy, whose answers call it gzip',
  },
  { name: 'maxMessageSize', theirDefault: '4194304', ours: 'maxMessageBytes', why: SAME },
  {
    name: 'retryAnotherBrokerWhenNotStoreOK',
    theirDefault: 'false',
    ours: 'onUnsafeStore',
    why: '`warn` is false, `fail` is true: a message that is stored, though not as safely as the broker is set up for, is no failure',
  },
  { name: 'maxReconsumeTimes', theirDefault: '16', ours: 'maxReconsumeTimes', why: SAME },
  {
    name: 'namespace',
    theirDefault: '',
    ours: 'namespace',
    why: 'the same over both protocols: spelled out in front of topics and groups, as proxies do not heed one sent on its own',
  },
]

export function rocketmqSettingsPage(): string {
  const fields = new Map(settingFields(rocketmqSettingsSchema).map((field) => [field.path, field]))
  return `${[
    '# Settings of a RocketMQ adapter, by the names you know',
    '',
    '<!-- Made by `npm run docs`; do not edit. -->',
    '',
    'A setting that cannot be honoured, by this program or by the protocol, is refused when the adapter is saved, by its',
    'name and with what to do instead; none is ignored.',
    '',
    '## From the RocketMQ adapter of AWS PaaS',
    '',
    ...comparison(AWS_PAAS, fields),
    '',
    'Of every kind of adapter:',
    '',
    ...markdownTable(['theirs', 'ours', 'why'], AWS_PAAS_ADAPTER),
    '',
    "## Defaults of RocketMQ's Java client",
    '',
    ...comparison(JAVA_DEFAULTS, fields),
    '',
    ...ownSections({
      clients: [
        {
          from: "From RocketMQ's Java client",
          example: 'properties.sendMsgTimeout=5000',
          honoured: HONOURED_PROPERTIES,
          refused: REFUSED_PROPERTIES,
        },
      ],
      fields,
      anchor: 'rocketmq',
    }),
    '',
    '## What the protocols can do',
    '',
    ...markdownTable(
      ['', 'remoting', 'grpc'],
      [
        ['servers', 'name servers of RocketMQ 4.x and 5.x', 'a proxy of RocketMQ 5.x'],
        ['TLS (`ssl`)', 'refused', 'with certificate authorities of your own, client certificates too'],
        [
          'topic that does not exist',
          'made where the brokers make topics',
          '`TOPIC_UNKNOWN`, once it was waited for: proxies may see a new topic up to 20 s late',
        ],
        ['type of a topic', 'not checked', 'FIFO for `messageGroup`, DELAY for delays, NORMAL for the rest'],
        ['`delayLevel`', 'by the table of the broker', 'by `delayLevels`, as a time of delivery'],
        ['`deliverAt`', 'from RocketMQ 5.0; refused before the send to a broker of 4.x', 'yes'],
        ['`producerGroup`', 'yes', 'refused'],
        ['`compressOverBytes`', 'yes', 'refused'],
        ['receipt', 'message id, queue, queue offset', 'message id and queue offset; `queueId` is null'],
      ],
    ),
    '',
    '## Notes',
    '',
    '- **Time.** A publish takes at most `connectTimeoutMs` + (`retries` + 1) × `sendTimeoutMs` + 0.5 s; the job timeout',
    '  (`BPMN_RELAY_JOB_TIMEOUT_MS`) must leave room for that, or the job is not started.',
    '- **Message id.** It is made here, one for all attempts, so that consumers can tell a repeated message.',
    '- **Order.** Messages of one `messageGroup` go to one queue, one after the other. While a broker of the topic is away its',
    '  groups use queues of the others, as with the Java client: consumers that are behind may see those messages first.',
    '- **Queue over gRPC.** The proxy chooses the queue and tells it neither in its answer nor afterwards. After',
    '  FLUSH_DISK_TIMEOUT, FLUSH_SLAVE_TIMEOUT or SLAVE_NOT_AVAILABLE it leaves out the offset too.',
    '- **Access control.** The permission to publish to the topic is enough. With access control of RocketMQ 5 nobody but',
    '  operators may ask a broker for its version: `deliverAt` is then sent without having asked. Consuming takes SUB on topic',
    '  and group; over remoting RocketMQ 5 wants GET on both besides, to tell a new group where its queues begin and end.',
    '- **Certificates** are given as PEM text. In a settings file a line break is `\\n`; from a shell,',
    '  `bpmn-relay env set ROCKETMQ_CA "$(cat ca.pem)"` and `--setting \'ssl.ca=@env(ROCKETMQ_CA)\'`.',
  ].join('\n')}\n`
}
