import assert from 'node:assert/strict'
import { test } from 'node:test'
import RemotingCommand from 'ali-ons/lib/protocol/command/remoting_command.js'
import { storedOf } from '../../../../src/brokers/rocketmq/remoting-send.js'

function answer(code: number, fields: Record<string, string>): RemotingCommand {
  const command = RemotingCommand.createRequestCommand(code, {})
  command.extFields = fields
  return command
}

test('an offset beyond 2^53 keeps its digits', () => {
  const [stored] = storedOf(answer(0, { queueId: '3', queueOffset: '9007199254740993' }), 1)

  assert.deepEqual(stored, { queueId: 3, queueOffset: '9007199254740993' })
})

for (const [code, status] of [
  [10, 'FLUSH_DISK_TIMEOUT'],
  [11, 'SLAVE_NOT_AVAILABLE'],
  [12, 'FLUSH_SLAVE_TIMEOUT'],
] as const) {
  test(`the answer ${status} means that the messages are stored, with a warning each`, () => {
    const stored = storedOf(answer(code, { queueId: '0', queueOffset: '7' }), 2)

    const warning = `the broker reports ${status}`
    assert.deepEqual(stored, [
      { queueId: 0, queueOffset: '7', warning },
      { queueId: 0, queueOffset: '8', warning },
    ])
  })
}

test('another answer is thrown as the refusal it is', () => {
  assert.throws(() => storedOf(answer(17, {}), 1), { name: 'MQClientException', code: 17 })
})
