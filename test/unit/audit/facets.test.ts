import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { AuditRow } from '../../../src/audit/call-record.js'
import { firstsOfKind } from '../../../src/audit/facets.js'
import { recordWith } from '../../helpers/call-record.js'

describe('the rows of a moment that the index has', () => {
  it('are the first of those that are alike', () => {
    const rows = [row({ status: 'failed' }), row(), row({ status: 'failed' }), row(), row()]
    assert.deepEqual(firstsOfKind(rows), [true, true, false, false, false])
  })

  const differences: Partial<AuditRow>[] = [
    { source: 'trigger' },
    { operation: 'trigger.start' },
    { adapterId: '0190a0b0-0000-7000-8000-00000000000a' },
    { adapterName: 'other' },
    { adapterKind: 'rocketmq' },
    { destination: 'other' },
    { status: 'skipped' },
    { errorCode: 'TOPIC_UNKNOWN' },
    { processId: 'other' },
    { elementId: 'other' },
  ]
  for (const difference of differences) {
    it(`are both where ${Object.keys(difference)} differs`, () => {
      assert.deepEqual(firstsOfKind([row(), row(difference)]), [true, true])
    })
  }

  it('are one though all differ in what pages are not filtered by in this index', () => {
    const other = row({ requestId: 'r', attempt: 7, processInstanceKey: '1', request: null, errorText: 'x' })
    assert.deepEqual(firstsOfKind([row(), other]), [true, false])
  })

  it('are all of those of whose kind none is remembered any more', () => {
    const kinds = Array.from({ length: 100 }, (_, n) => row({ destination: `topic-${n}` }))
    const indexed = firstsOfKind([...kinds, ...kinds])
    assert.ok(indexed.slice(0, 100).every(Boolean))
    assert.deepEqual([indexed[100], indexed[199]], [false, true])
  })
})

function row(changes: Partial<AuditRow> = {}): AuditRow {
  return recordWith({ ledger: { jobKey: '7' }, audit: changes }).audit ?? assert.fail()
}
