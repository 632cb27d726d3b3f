import { settingsInvalid } from '../settings.js'
import type { KafkaSettings } from './settings.js'

type Guarantees = Pick<KafkaSettings, 'acks' | 'idempotent' | 'deliverySemantic'>

/** How a producer asks for acknowledgement. */
export type Acknowledgement = Pick<KafkaSettings, 'acks' | 'idempotent'>

/** The weakest and the only alternative: sent and forgotten. */
export const UNACKNOWLEDGED: Acknowledgement = { acks: 'none', idempotent: false }

/**
 * How messages that must be acknowledged are sent: as the adapter says, or, where it forgets its messages and a task
 * asks for more, in the safest way.
 */
export function acknowledgement({ acks, idempotent }: Guarantees): Acknowledgement {
  return acks === 'none' ? { acks: 'all', idempotent: true } : { acks, idempotent }
}

/**
 * The three are one decision: what was not given follows from what was; what was given must agree.
 * @throws RelayError SETTINGS_INVALID naming both settings.
 */
export function parseGuarantees(settings: Guarantees, given: Record<string, unknown>): Guarantees {
  if (settings.deliverySemantic === 'exactly-once') {
    throw settingsInvalid('deliverySemantic exactly-once is not available yet: choose at-least-once')
  }
  const unacknowledged =
    settings.deliverySemantic === 'none' || (settings.acks === 'none' && given.deliverySemantic === undefined)
  const acks = unacknowledged && given.acks === undefined ? 'none' : settings.acks
  const deliverySemantic = unacknowledged ? 'none' : settings.deliverySemantic
  const idempotent = given.idempotent === undefined ? acks === 'all' : settings.idempotent

  if (deliverySemantic === 'none' && acks !== 'none') {
    throw settingsInvalid(
      `deliverySemantic none contradicts acks ${acks}: set acks to none, or deliverySemantic to at-least-once`,
    )
  }
  if (deliverySemantic === 'at-least-once' && acks === 'none') {
    throw settingsInvalid(
      'deliverySemantic at-least-once contradicts acks none: set acks to all or leader, or deliverySemantic to none',
    )
  }
  if (idempotent && acks !== 'all') {
    throw settingsInvalid(`idempotent true contradicts acks ${acks}: set acks to all, or idempotent to false`)
  }
  return { acks, idempotent, deliverySemantic }
}
