import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, it } from 'node:test'
import { type Progress, progressPrinter } from '../../../src/stack/progress.js'

describe('progress', () => {
  it('is a line per step where it is not shown on a terminal', () => {
    const steps = [{ text: 'starting' }, { text: 'starting' }, { text: 'ready at 127.0.0.1:9092' }]
    assert.equal(print(steps), 'kafka     starting\nkafka     ready at 127.0.0.1:9092\n')
  })

  it('is a line per tenth where it counts up', () => {
    const steps = [0, 4, 11, 19, 100].map((percent) => ({ text: 'fetching', percent }))
    assert.equal(print(steps), 'kafka     fetching 0 %\nkafka     fetching 10 %\nkafka     fetching 100 %\n')
  })

  it('is one line drawn over on a terminal', () => {
    const steps = [{ text: 'fetching', percent: 25 }, { text: 'fetching', percent: 50 }, { text: 'starting' }]
    assert.equal(
      print(steps, { isTTY: true }),
      'kafka     fetching [#####...............]  25 %' +
        '\r\x1b[Kkafka     fetching [##########..........]  50 %' +
        '\r\x1b[Kkafka     starting\n',
    )
  })
})

function print(steps: Array<Omit<Progress, 'server'>>, terminal: { isTTY?: boolean } = {}): string {
  const out = Object.assign(new PassThrough({ encoding: 'utf8' }), terminal)
  const onProgress = progressPrinter(out)
  for (const step of steps) onProgress({ server: 'kafka', ...step })
  return String(out.read())
}
