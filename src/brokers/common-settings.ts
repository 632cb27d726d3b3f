import { Type } from 'typebox'

/** Settings that mean the same with every kind of broker; each driver makes them part of its own. */
export const commonSettings = {
  maxMessagesPerSecond: Type.Optional(
    Type.Number({
      title: 'Rate limit',
      description:
        'Most messages a second that each worker publishes through this adapter. What is above waits for its turn, up to a second in the worker, then in the engine, without using up a retry. Default: no limit.',
      unit: 'messages/s',
      minimum: 0.01,
      maximum: 1_000_000,
    }),
  ),
}
