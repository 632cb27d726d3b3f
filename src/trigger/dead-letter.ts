/** Where on its way a message was given up. */
export const DEAD_LETTER_STAGES = [
  'deserialize',
  'condition',
  'variables',
  'correlation',
  'action',
  'completion',
] as const
export type DeadLetterStage = (typeof DEAD_LETTER_STAGES)[number]

/** A value of a header: text, or base64 where the bytes are no UTF-8. */
export type StoredHeader = string | { base64: string }

/** `waiting` for a person. */
export const DEAD_LETTER_STATES = ['waiting', 'replayed', 'discarded'] as const
export type DeadLetterState = (typeof DEAD_LETTER_STATES)[number]

/** A message that a trigger gave up, whole. 64-bit numbers are decimal text. */
export interface DeadLetter {
  id: string
  at: Date
  triggerId: string
  /** As it was then, like `adapterName`. */
  triggerName: string
  adapterId: string
  adapterName: string
  requestId: string
  topic: string
  partition: number
  /** RocketMQ. */
  broker: string | null
  offset: string
  /** `InboundMessage.id`. */
  messageId: string
  messageAt: Date
  key: Buffer | null
  value: Buffer | null
  headers: Record<string, StoredHeader[]>
  /** RocketMQ, as are the next two. */
  tag: string | null
  keys: string[] | null
  messageGroup: string | null
  attempts: number
  stage: DeadLetterStage
  errorCode: string
  errorText: string
  state: DeadLetterState
  resolvedAt: Date | null
  resolvedBy: string | null
  /** Why it was discarded. */
  resolvedNote: string | null
}
