import { type Static, Type } from 'typebox'
import { Compile } from 'typebox/compile'
import type { Operation } from '../operations.js'
import type { RecordItem } from '../recorder.js'

const text = Type.Union([Type.String(), Type.Null()])
const literals = <const T extends string>(...values: T[]) => Type.Enum(values)

const Audit = Type.Object({
  requestId: Type.String(),
  source: literals('job', 'api', 'trigger', 'admin'),
  operation: Type.Unsafe<Operation>(Type.String()),
  adapterId: text,
  adapterName: text,
  adapterKind: text,
  destination: text,
  receipt: text,
  status: literals('published', 'skipped', 'done', 'rejected', 'failed'),
  errorCode: text,
  errorText: text,
  durationMs: Type.Number(),
  attempt: Type.Number(),
  processInstanceKey: text,
  processId: text,
  processVersion: Type.Union([Type.Number(), Type.Null()]),
  elementId: text,
  jobKey: text,
  request: text,
  response: text,
})

const Ledger = Type.Object({
  jobKey: Type.String(),
  processInstanceKey: Type.String(),
  elementInstanceKey: Type.String(),
  fingerprint: Type.String(),
  attempts: Type.Number(),
  receipt: text,
})

const Sample = Type.Object({
  adapterId: text,
  operation: Type.String(),
  processId: Type.String(),
  result: literals('ok', 'error', 'held'),
  durationMs: Type.Number(),
})

/** The end of the year 9999. */
const MAX_TIME_MS = 253_402_300_799_999

const Common = {
  /** When it came, milliseconds since 1970. */
  at: Type.Integer({ minimum: 0, maximum: MAX_TIME_MS }),
  /** The engine of its job. */
  engine: Type.String(),
}

const Call = Type.Object({
  ...Common,
  kind: Type.Literal('call'),
  /** A statement for it was left without an answer: it may have been carried out. */
  isUnanswered: Type.Boolean(),
  audit: Type.Union([Audit, Type.Null()]),
  ledger: Type.Union([Ledger, Type.Null()]),
  sample: Type.Union([Sample, Type.Null()]),
})

const Settled = Type.Object({ ...Common, kind: Type.Literal('settled'), jobKeys: Type.Array(Type.String()) })

const isSpooled = Compile(Type.Union([Call, Settled]))

/** What one entry of the spool says; JSON in the file, for a person's eyes too. */
export type Spooled = Static<typeof Call> | Static<typeof Settled>

export function spooledText(
  item: RecordItem,
  { at, engine, isUnanswered }: { at: number; engine: string; isUnanswered: boolean },
): string {
  if (item.kind === 'settled')
    return JSON.stringify({ at, engine, kind: item.kind, jobKeys: item.jobKeys } satisfies Spooled)
  const { audit, ledger, sample } = item.record
  return JSON.stringify({
    ...{ at, engine, kind: item.kind, isUnanswered },
    ...{ audit, ledger, sample },
  } satisfies Spooled)
}

/** Undefined: what stands there is none, as of a newer release. */
export function parseSpooled(payload: Buffer): Spooled | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString())
    return isSpooled.Check(value) ? value : undefined
  } catch {
    return undefined
  }
}
