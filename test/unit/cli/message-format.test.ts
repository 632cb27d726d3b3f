import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ConsumedMessage } from '../../../src/brokers/operator.js'
import { parseMessageFormat } from '../../../src/cli/message-format.js'
import { type ShownMessage, showRaw } from '../../../src/cli/shown-message.js'
import { onOneLine } from '../../../src/cli/value-text.js'

const MESSAGE: ConsumedMessage = {
  topic: 'orders',
  partition: 2,
  offset: '9007199254740993',
  timestamp: 1_767_225_600_000,
  key: Buffer.from('k'),
  value: Buffer.from('值'),
  headers: { a: ['1', Buffer.from('2')], b: 'x' },
}

async function printed(format: string, message: Partial<ConsumedMessage> = {}): Promise<string> {
  return parseMessageFormat(format)(await showRaw({ ...MESSAGE, ...message })).toString()
}

describe('the format of messages', () => {
  it('value is the value and a line break', async () => {
    assert.equal(await printed('value'), '值\n')
  })

  it('value keeps bytes that are no text', async () => {
    const value = Buffer.from([0xff, 0x00, 0x80])
    assert.deepEqual(
      parseMessageFormat('value')(await showRaw({ ...MESSAGE, value })),
      Buffer.concat([value, Buffer.from('\n')]),
    )
  })

  it('value shows a tombstone as null', async () => {
    assert.equal(await printed('value', { value: null }), 'null\n')
  })

  it('json keeps the digits of the offset and all values of a header', async () => {
    assert.deepEqual(JSON.parse(await printed('json')), {
      topic: 'orders',
      partition: 2,
      offset: '9007199254740993',
      timestamp: 1_767_225_600_000,
      key: 'k',
      headers: { a: ['1', '2'], b: 'x' },
      value: '值',
    })
  })

  it('json tells bytes that are no text, and nothing, from text', async () => {
    const { key, value } = JSON.parse(await printed('json', { key: null, value: Buffer.from([0xff]) }))
    assert.deepEqual([key, value], [null, { base64: '/w==' }])
  })

  it('json stays on one line and keeps the digits of values that have neither', async () => {
    const json = '{\n  "id": 9007199254740993.10\n}'
    const value = { text: Buffer.from(json), json: onOneLine(json), size: json.length }
    const shown: ShownMessage = { ...MESSAGE, key: null, value }
    assert.match(
      parseMessageFormat('json')(shown).toString(),
      /"value":\{ "id": 9007199254740993\.10 \}\}\n$/,
    )
  })

  it('json tells why bytes were not read', async () => {
    const problem = { code: 'VALUE_NOT_DESERIALIZABLE', description: 'message is no JSON' } as const
    const shown: ShownMessage = { ...(await showRaw(MESSAGE)), problem }
    assert.deepEqual(JSON.parse(parseMessageFormat('json')(shown).toString()).error, problem)
  })

  it('a text has its tokens replaced, as kcat does', async () => {
    assert.equal(
      await printed('%t [%p] %o %T\\t%k(%K)=%s(%S) %h 100%%\\n'),
      'orders [2] 9007199254740993 1767225600000\tk(1)=值(3) a=1,a=2,b=x 100%\n',
    )
  })

  it('a text gives the length −1 for what is not there', async () => {
    assert.equal(await printed('%k%K %s%S', { key: null, value: null }), '-1 -1')
  })

  for (const wrong of ['yaml', '%x', '50%']) {
    it(`refuses ${wrong}`, () => {
      assert.throws(() => parseMessageFormat(wrong), { code: 'commander.invalidArgument' })
    })
  }
})
