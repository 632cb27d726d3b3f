import { type Static, Type } from 'typebox'

export const TRIGGER_STATES_IN_WORKER = ['consuming', 'paused', 'held', 'waiting', 'failing'] as const

/**
 * How a trigger is doing in one worker. Column `triggers` of `worker_state` has one by each trigger's id, as of the
 * heartbeat at `seen_at`; triggers that are stopped are missing there.
 */
export const TriggerStatus = Type.Object({
  /**
   * `consuming`. `paused`: by a person. `held`: what the messages need is away. `waiting`: for topics to be there, the
   * adapter to be enabled, or the moves of the group's offsets to be made. `failing`: it cannot join its group, and tries on.
   */
  state: Type.Enum([...TRIGGER_STATES_IN_WORKER]),
  /** Why it does not consume, or what its broker says meanwhile; null: all is well. */
  reason: Type.Union([Type.String(), Type.Null()]),
  /** Those it subscribes to; of a pattern, those that match now. */
  topics: Type.Array(Type.String()),
  /** Partitions or queues that this worker holds. */
  queues: Type.Integer(),
  /** Messages in hand. */
  handling: Type.Integer(),
  /**
   * Since the broker last answered a request for messages, or since the worker has tried to get there, as of the heartbeat;
   * null: it does not ask for any.
   */
  pollAgeMs: Type.Union([Type.Number(), Type.Null()]),
  /** Messages in the queues of this worker that are not consumed yet, by topic. */
  lag: Type.Record(Type.String(), Type.Number()),
})
export type TriggerStatus = Static<typeof TriggerStatus>
