import {
  DROPPED,
  type Dropped,
  type Serialized,
  type Serializers,
} from '../adapters/serialization/serializer.js'
import type { HeaderValue, OutboundMessage } from '../brokers/broker.js'
import type { Job } from '../engine/engine.js'
import type { JobInput } from './job-input.js'

/**
 * The message of a job, as bytes; DROPPED when the adapter's module does not want it sent. At once, unless a
 * serializer has to wait for something.
 * @throws RelayError those of `Serializer.serialize`
 */
export function outboundMessage(
  input: JobInput,
  serializers: Serializers,
  job: Job,
  requestId: string,
): OutboundMessage | Dropped | Promise<OutboundMessage | Dropped> {
  const value = serializers.value.serialize(input.message, input.topic)
  if (value instanceof Promise) return assembledLater(value, input, serializers, job, requestId)
  const key = keyOf(input, serializers)
  if (key instanceof Promise) return key.then((known) => assembled(value, known, input, job, requestId))
  return assembled(value, key, input, job, requestId)
}

async function assembledLater(
  value: Promise<Serialized>,
  input: JobInput,
  serializers: Serializers,
  job: Job,
  requestId: string,
): Promise<OutboundMessage | Dropped> {
  return assembled(await value, await keyOf(input, serializers), input, job, requestId)
}

function keyOf(input: JobInput, serializers: Serializers): Serialized | Promise<Serialized> {
  return input.key === undefined ? null : serializers.key.serialize(input.key, input.topic)
}

function assembled(
  value: Serialized,
  key: Serialized,
  input: JobInput,
  job: Job,
  requestId: string,
): OutboundMessage | Dropped {
  if (value === DROPPED || key === DROPPED) return DROPPED
  return {
    topic: input.topic,
    requestId,
    value,
    key,
    headers: { ...input.headers, ...ownHeaders(input, job, requestId) },
    partition: input.partition,
    timestamp: input.timestamp,
    deliverySemantic: input.deliverySemantic,
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
