import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { linesOf } from '../../../src/core/lines.js'

async function lines(...chunks: (string | Buffer)[]): Promise<string[]> {
  const found: string[] = []
  const stream = Readable.from(chunks.map((chunk) => Buffer.from(chunk)))
  for await (const line of linesOf(stream)) found.push(line.toString('latin1'))
  return found
}

describe('the lines of a stream', () => {
  it('end with \\n or \\r\\n, the last one with neither', async () => {
    assert.deepEqual(await lines('a\r\n\nb\rc\nd'), ['a', '', 'b\rc', 'd'])
  })

  it('may be spread over many chunks', async () => {
    assert.deepEqual(await lines('a', 'b', 'c\r', '\nd', '\n'), ['abc', 'd'])
  })

  it('keep bytes that are no text', async () => {
    assert.deepEqual(await lines(Buffer.of(0xff, 0, 10, 0xc3)), ['\u00ff\0', '\u00c3'])
  })

  it('are none where there is nothing', async () => {
    assert.deepEqual(await lines(), [])
  })
})
