import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { table } from '../../../src/cli/table.js'

describe('a table', () => {
  it('gives each column the width of its widest cell', () => {
    const text = table(
      [{ title: 'A' }, { title: 'B' }],
      [
        ['long', 'x'],
        ['', 'y'],
      ],
    )
    assert.equal(text, 'A     B\nlong  x\n      y')
  })

  it('aligns numbers to the right', () => {
    assert.equal(table([{ title: 'MS', align: 'right' }], [['1'], ['100']]), ' MS\n  1\n100')
  })

  it('counts Chinese characters as two cells', () => {
    assert.equal(
      table(
        [{ title: 'NAME' }, { title: 'B' }],
        [
          ['订单', 'x'],
          ['ab', 'y'],
        ],
      ),
      'NAME  B\n订单  x\nab    y',
    )
  })

  it('lets no control characters through', () => {
    assert.equal(table([{ title: 'A' }], [['a\u001b[31m\r\nb']]), 'A\na [31m b')
  })
})
