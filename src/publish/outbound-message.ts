import type { Adapter } from '../adapters/adapter.js'
import { serialize } from '../adapters/serialize.js'
import type { HeaderValue, OutboundMessage } from '../brokers/broker.js'
import type { Job } from '../engine/engine.js'
import type { JobInput } from './job-input.js'

/**
 * The message of a job, as bytes.
 * @throws RelayError VALUE_NOT_SERIALIZABLE
 */
export function outboundMessage(
  input: JobInput,
  adapter: Adapter,
  job: Job,
  requestId: string,
): OutboundMessage {
  return {
    topic: input.topic,
    requestId,
    value: serialize(input.message, adapter.valueSerialization, 'message'),
    key: input.key === undefined ? null : serialize(input.key, adapter.keySerialization, 'key'),
    headers: { ...input.headers, ...ownHeaders(input, job, requestId) },
    partition: input.partition,
    timestamp: input.timestamp,
    tag: input.tag,
    keys: input.keys,
    delayLevel: input.delayLevel,
    deliverAt: input.deliverAt,
    messageGroup: input.messageGroup,
    producerGroup: input.producerGroup,
  }
}

/** Headers every message carries; they win over headers of the same name given by the task. */
function ownHeaders(input: JobInput, job: Job, requestId: string): Record<string, HeaderValue> {
  const headers: Record<string, HeaderValue> = {
    'x-request-id': requestId,
    'x-process-instance-key': job.processInstanceKey,
    'x-job-key': job.key,
    'x-element-id': job.elementId,
  }
  if (input.traceparent !== undefined) headers.traceparent = input.traceparent
  return headers
}
