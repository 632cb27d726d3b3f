import type { HonouredProperty, RefusedProperties } from '../settings.js'

/** Properties of RocketMQ's Java clients and the settings they stand for. */
export const HONOURED_PROPERTIES: Readonly<Record<string, HonouredProperty>> = {
  sendMsgTimeout: { path: 'sendTimeoutMs' },
  mqClientApiTimeout: { path: 'connectTimeoutMs' },
  retryTimesWhenSendFailed: { path: 'retries' },
  retryAnotherBrokerWhenNotStoreOK: { path: 'onUnsafeStore', values: { false: 'warn', true: 'fail' } },
  compressMsgBodyOverHowmuch: { path: 'compressOverBytes' },
  maxMessageSize: { path: 'maxMessageBytes' },
  producerGroup: { path: 'producerGroup' },
  namespace: { path: 'namespace' },
  accessKey: { path: 'accessKey' },
  useTLS: { path: 'ssl.enabled' },
  consumeThreadMin: { path: 'consumeThreadMin' },
  consumeThreadMax: { path: 'consumeThreadMax' },
  consumeMessageBatchMaxSize: { path: 'consumeMessageBatchMaxSize' },
  maxReconsumeTimes: { path: 'maxReconsumeTimes' },
}

const OF_SUBSCRIPTION = 'it belongs to a subscription: give it there'
const OWN_CLIENT = 'every connection has a client of its own: remove it'
const OWN_PACE = 'the worker keeps its own pace there: remove it'
const ADDRESS = "the servers are the adapter's address: give them there"
const NO_TRACE = 'no trace messages are sent; the audit log has every call: remove it'
const TRANSACTIONS = 'transactions are not available yet: remove it'

/** Properties that are refused, each with the reason and the cure. */
export const REFUSED_PROPERTIES: RefusedProperties = {
  namesrvAddr: ADDRESS,
  endpoints: ADDRESS,
  secretKey: 'it would be kept readable here: use the setting secretKey',
  instanceName: OWN_CLIENT,
  clientIP: OWN_CLIENT,
  unitName: OWN_CLIENT,
  unitMode: OWN_CLIENT,
  vipChannelEnabled: 'brokers are asked at the port they have registered: remove it',
  retryTimesWhenSendAsyncFailed:
    'there is one way to send, with one number of retries: use retryTimesWhenSendFailed',
  sendLatencyFaultEnable:
    'the broker of a failed attempt is always avoided where there is another: remove it',
  compressLevel: 'bodies are compressed at the level of zlib itself: remove it',
  compressType: 'bodies are compressed with zlib, which every version reads: remove it',
  autoBatch: 'messages that are ready together go together by themselves: remove it',
  createTopicKey: 'topics are created after the settings of TBW102: create the topic with others beforehand',
  defaultTopicQueueNums: 'topics are created with 4 queues: create the topic with others beforehand',
  enableMsgTrace: NO_TRACE,
  traceTopic: NO_TRACE,
  checkThreadPoolMinSize: TRANSACTIONS,
  checkThreadPoolMaxSize: TRANSACTIONS,
  transactionTimeout: TRANSACTIONS,
  heartbeatBrokerInterval: OWN_PACE,
  pollNameServerInterval: OWN_PACE,
  persistConsumerOffsetInterval: OWN_PACE,
  pullInterval: OWN_PACE,
  pullBatchSize: OWN_PACE,
  consumerGroup: OF_SUBSCRIPTION,
  messageModel: OF_SUBSCRIPTION,
  consumeFromWhere: OF_SUBSCRIPTION,
  consumeTimestamp: OF_SUBSCRIPTION,
  subExpression: OF_SUBSCRIPTION,
  subscription: OF_SUBSCRIPTION,
}
