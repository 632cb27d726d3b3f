import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { METRICS } from '../../src/alerts/metrics.js'

const page = readFileSync(new URL('../../docs/alerts.md', import.meta.url), 'utf8')

it('docs/alerts.md explains every metric of alert policies, and no other', () => {
  const [, section = ''] = page.split('## Metrics\n')
  const [table = ''] = /(?:^\|.*\n)+/m.exec(section) ?? []
  const documented = table.split('\n').flatMap((row) => {
    const [, names = ''] = row.split('|')
    return [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name)
  })
  assert.deepEqual(documented, Object.keys(METRICS))
})
