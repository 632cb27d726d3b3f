import { Type } from 'typebox'

/** A `timestamptz`, which the driver reads as a date. */
export const Timestamp = Type.Refine(
  Type.Unsafe<Date>({}),
  (value) => value instanceof Date,
  () => 'must be a date',
)

/** A `bytea`, which the driver reads as a buffer. */
export const Bytes = Type.Refine(
  Type.Unsafe<Buffer>({}),
  (value) => Buffer.isBuffer(value),
  () => 'must be bytes',
)
