import type { Command } from 'commander'
import { fileLogFolder } from '../audit/file-log-files.js'
import type { Trace, TracedPlace } from '../audit/trace.js'
import { RelayError } from '../core/errors.js'
import { membersOf, objectOf } from '../core/json.js'
import type { DeadLetterSummary } from '../trigger/dead-letters.js'
import { auditTable } from './audit.js'
import { withWorkbench } from './context.js'
import { lettersTable } from './dead-letter.js'
import { table } from './table.js'

const MOST = 1000

export function addTraceCommand(program: Command): void {
  program
    .command('trace <request-id>')
    .description(
      'Show everything a request id is found in: receipt, process instance, audit log, dead letters, file log.',
    )
    .option('--json', 'as one JSON object, with requests and responses')
    .addHelpText(
      'after',
      `
The request id is in the result of the task, in the text of its incident, and with the message as x-request-id. The
file log is the one on this machine (BPMN_RELAY_FILE_LOG_FOLDER), of all workers that write there; it knows the calls
through adapters made with --log-results.

Examples:
  bpmn-relay trace 3f1c6e0e-0c3c-8d6e-9a52-7d3f0a6b1c2d
  bpmn-relay trace order-4711 --json | jq '.receipts[].offset'`,
    )
    .action(showTrace)
}

async function showTrace(requestId: string, { json }: { json?: true }): Promise<void> {
  const { traceOf } = await import('../audit/trace.js')
  const { deadLetterPage } = await import('../trigger/dead-letters.js')
  await withWorkbench(async ({ database }, { config }) => {
    const folder = fileLogFolder(config)
    const [trace, { letters, next }] = await Promise.all([
      traceOf(database, { folder, requestId, limit: MOST }),
      deadLetterPage(database, { requestId }, { limit: MOST }),
    ])
    if (trace.audit.length + letters.length + trace.fileLog.length === 0) {
      throw new RelayError(
        'NOT_FOUND',
        `no call in the audit log or in the file log in ${folder}, and no dead letter, has the request id "${requestId}"`,
      )
    }
    console.log(json ? jsonOf(trace, letters) : textOf(trace, letters))
    if (trace.isCut || next !== null) console.error(`There is more: these are the newest ${MOST}.`)
  })
}

function textOf(
  { requestId, receipts, places, audit, fileLog }: Trace,
  letters: readonly DeadLetterSummary[],
): string {
  const sections = [
    table([{ title: 'REQUEST ID' }], [[requestId]]),
    receipts.length > 0
      ? table(
          [{ title: 'MESSAGE' }],
          receipts.map((receipt) => [receiptText(receipt)]),
        )
      : 'No message was published.',
    places.length > 0 ? placesTable(places) : 'It comes from no process instance.',
    audit.length > 0 ? auditTable(audit) : 'The audit log has no row of it.',
    ...(letters.length > 0 ? [lettersTable(letters)] : []),
    fileLog.length > 0
      ? table(
          [{ title: 'FILE' }, { title: 'LINE' }],
          fileLog.map(({ file, line }) => [file, line]),
        )
      : 'The file log has no line of it.',
  ]
  return sections.join('\n\n')
}

/** Such as `topic orders, partition 0, offset 7`. */
function receiptText(receipt: string): string {
  return [...membersOf(receipt)]
    .filter(([name]) => name !== 'requestId' && name !== 'kind')
    .map(([name, json]) => `${name} ${json.startsWith('"') ? JSON.parse(json) : json}`)
    .join(', ')
}

function placesTable(places: readonly TracedPlace[]): string {
  const columns = ['PROCESS INSTANCE', 'PROCESS', 'VERSION', 'ELEMENT', 'JOB'].map((title) => ({ title }))
  const rows = places.map(({ processInstanceKey, processId, processVersion, elementId, jobKey }) =>
    [processInstanceKey, processId, processVersion, elementId, jobKey].map((cell) => String(cell ?? '')),
  )
  return table(columns, rows)
}

/** Receipts and lines of the file log go in as they stand: numbers keep their digits. */
function jsonOf(
  { requestId, receipts, places, audit, fileLog }: Trace,
  letters: readonly DeadLetterSummary[],
): string {
  const lines = fileLog.map(({ file, line }) =>
    objectOf([
      ['file', JSON.stringify(file)],
      ['line', line],
    ]),
  )
  return objectOf([
    ['requestId', JSON.stringify(requestId)],
    ['receipts', `[${receipts.join(',')}]`],
    ['processInstances', JSON.stringify(places)],
    ['audit', JSON.stringify(audit)],
    ['deadLetters', JSON.stringify(letters)],
    ['fileLog', `[${lines.join(',')}]`],
  ])
}
