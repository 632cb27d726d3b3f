import { bytesOf } from './simple.js'
import { DOUBLE_RANGE, fitting, realNumber, SINGLE_RANGE, singleNumber } from './values.js'

interface Leaf {
  /** What would be right, for messages to people. */
  right: string
  /** Undefined for what does not fit. */
  from: (value: unknown) => unknown
}

/** Single values that schemas of every kind know, and how JSON gives them. */
const LEAVES = {
  boolean: { right: 'true or false', from: (value) => (typeof value === 'boolean' ? value : undefined) },
  string: {
    right: 'a text without half characters',
    from: (value) => (typeof value === 'string' && value.isWellFormed() ? value : undefined),
  },
  bytes: { right: 'base64 text or {"base64": "…"}', from: bytesOf },
  float: { right: SINGLE_RANGE, from: singleNumber },
  double: { right: DOUBLE_RANGE, from: realNumber },
} as const satisfies Record<string, Leaf>

export type LeafType = keyof typeof LEAVES

export function isLeafType(name: string): name is LeafType {
  return Object.hasOwn(LEAVES, name)
}

/** @throws RelayError VALUE_NOT_SERIALIZABLE naming the place. */
export function toLeaf(type: LeafType, value: unknown, path: string): unknown {
  const { right, from } = LEAVES[type]
  return fitting(from(value), value, right, path)
}
