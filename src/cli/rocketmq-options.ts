import { Option } from 'commander'
import type { OutboundMessage } from '../brokers/broker.js'
import { parseTimestamp, wholeNumber } from './arguments.js'

const MOST_DELAY_LEVEL = 18

/** What a message for RocketMQ may have besides headers, as options of `produce`. */
export interface RocketmqOptions {
  keys?: string[]
  tag?: string
  delayLevel?: number
  deliverAt?: number
  messageGroup?: string
  producerGroup?: string
}

export const KEYS = new Option('--keys <key...>', 'RocketMQ: keys to look the messages up by')
export const TAG = new Option('--tag <tag>', 'RocketMQ: tag that consumers filter by')
export const DELAY_LEVEL = new Option(
  '--delay-level <level>',
  "RocketMQ, remoting: deliver later, by the brokers' table of levels",
).argParser(wholeNumber(1, MOST_DELAY_LEVEL))
export const DELIVER_AT = new Option(
  '--deliver-at <time>',
  'RocketMQ 5: deliver then; milliseconds since 1970 or an ISO 8601 time',
).argParser(parseTimestamp)
export const MESSAGE_GROUP = new Option(
  '--message-group <group>',
  'RocketMQ: messages of one group keep their order',
)
export const PRODUCER_GROUP = new Option(
  '--producer-group <group>',
  "RocketMQ, remoting: group to send under (default: the adapter's)",
)

export function rocketmqFields({
  keys,
  tag,
  delayLevel,
  deliverAt,
  messageGroup,
  producerGroup,
}: RocketmqOptions): Pick<OutboundMessage, keyof RocketmqOptions> {
  return {
    ...(keys !== undefined && { keys }),
    ...(tag !== undefined && { tag }),
    ...(delayLevel !== undefined && { delayLevel }),
    ...(deliverAt !== undefined && { deliverAt }),
    ...(messageGroup !== undefined && { messageGroup }),
    ...(producerGroup !== undefined && { producerGroup }),
  }
}
