import type { AdminContext } from '../admin/adapter-admin.js'
import { RelayError } from '../core/errors.js'
import { objectOf } from '../core/json.js'
import type { DeadLetter } from '../trigger/dead-letter.js'
import { withAdminContext } from './context.js'
import { type ShownMessage, showBase64, showDeserialized, showRaw } from './shown-message.js'
import { table } from './table.js'

interface ShowOptions {
  raw?: true
  base64?: true
  json?: true
}

export async function showDeadLetter(id: string, options: ShowOptions): Promise<void> {
  const { deadLetterById } = await import('../trigger/dead-letters.js')
  await withAdminContext(async (context) => {
    const letter = await deadLetterById(context.database, id)
    const message = await shown(context, letter, options)
    if (message.problem) console.error(`${message.problem.code}: ${message.problem.description}`)
    console.log(options.json ? jsonOf(letter, message) : textOf(letter, message))
  })
}

async function shown(
  context: AdminContext,
  letter: DeadLetter,
  { raw, base64 }: ShowOptions,
): Promise<ShownMessage> {
  const { inboundOf } = await import('../trigger/dead-letters.js')
  const { withAdapter } = await import('../admin/adapter-admin.js')
  const { topic, queue, offset, timestamp, key, value, headers } = inboundOf(letter)
  const message = { topic, partition: queue.partition, offset, timestamp, key, value, headers }
  if (raw) return await showRaw(message)
  if (base64) return await showBase64(message)
  try {
    return await withAdapter(context, letter.adapterId, (admin) =>
      showDeserialized(admin.serializers(), admin.adapter)(message),
    )
  } catch (thrown) {
    // An adapter that is deleted, or a registry that is away, must not hide the letter.
    if (!(thrown instanceof RelayError)) throw thrown
    return { ...(await showRaw(message)), problem: { code: thrown.code, description: thrown.message } }
  }
}

function textOf({ key: _, value: __, headers, ...fields }: DeadLetter, message: ShownMessage): string {
  const rows = Object.entries(fields).flatMap(([field, value]) => {
    if (value === null) return []
    if (value instanceof Date) return [[field, value.toISOString()]]
    return [[field, Array.isArray(value) ? value.join(' ') : String(value)]]
  })
  const headerRows = Object.entries(headers).flatMap(([name, values]) =>
    values.map((value) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  )
  const sections = [
    table([{ title: 'FIELD' }, { title: 'VALUE' }], rows),
    headerRows.length > 0 ? table([{ title: 'HEADER' }, { title: 'VALUE' }], headerRows) : 'No headers.',
    message.key ? `Key:\n${message.key.text}` : 'No key.',
    message.value ? `Value:\n${message.value.text}` : 'No value: a tombstone.',
  ]
  return sections.join('\n\n')
}

/** Key and value go in as they stand: numbers keep their digits. */
function jsonOf({ key: _, value: __, ...fields }: DeadLetter, message: ShownMessage): string {
  const members = Object.entries(fields).map(([name, member]): [string, string] => [
    name,
    JSON.stringify(member),
  ])
  return objectOf([
    ...members,
    ['key', message.key?.json ?? 'null'],
    ['value', message.value?.json ?? 'null'],
  ])
}
