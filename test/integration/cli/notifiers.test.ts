import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commandLine, ok, refused } from '../../helpers/cli.js'
import { answer, webhookReceiver } from '../../helpers/webhook-receiver.js'

const TOKEN = 'in-the-open-token'

describe('notifier', () => {
  it('is created, tells why a test fails, is changed, passes the test and is shown, without a secret', async (t) => {
    const cli = await commandLine(t)
    const { url, requests } = await webhookReceiver(t, [
      answer(200, { errcode: 310000, errmsg: `sign not match, token ${TOKEN}` }),
      answer(200, { errcode: 0, errmsg: 'ok' }),
    ])
    const settings = ['preset=dingtalk', `url=${url}?access_token=${TOKEN}`, 'secret=wrong', 'language=zh']
    const kind = ['--kind', 'webhook', '--disabled']
    assert.match(
      await ok(cli, ['notifier', 'create', '--name', 'ops', ...kind, '--setting', ...settings]),
      /Notifier "ops" is made: id [\w-]{36}\. `bpmn-relay notifier test ops` tries it/,
    )

    const failed = await cli.run(['notifier', 'test', 'ops'], { env: { BPMN_RELAY_LOG_LEVEL: 'debug' } })
    assert.deepEqual([failed.code, failed.stdout], [1, ''])
    assert.match(
      failed.stderr,
      /^NOTIFIER_REFUSED: http:\/\/127\.0\.0\.1:\d+\/… .*errcode 310000 sign not match/m,
    )
    assert.doesNotMatch(failed.stderr, new RegExp(TOKEN))

    await ok(cli, ['notifier', 'update', 'ops', '--setting', 'secret=SEC1', '--unset', 'language'])
    assert.match(await ok(cli, ['notifier', 'test', 'ops']), /"ops" delivered a test notice within \d+ ms/)
    assert.equal(JSON.parse(requests[1]?.body ?? '').markdown.title, 'Test: ops')

    assert.deepEqual(JSON.parse(await ok(cli, ['notifier', 'list', '--json'])).map(withoutId), [
      {
        name: 'ops',
        kind: 'webhook',
        description: '',
        enabled: false,
        managed: false,
        settings: { preset: 'dingtalk', url: '(secret)', secret: '(secret)' },
      },
    ])
  })

  it('is refused with an unknown setting, and where those that are known are explained', async (t) => {
    const args = ['notifier', 'create', '--name', 'x', '--kind', 'mail', '--setting', 'server=h']
    const expected =
      /SETTINGS_INVALID: setting server is unknown to mail: use one of host, .*notifier settings mail/
    await refused(await commandLine(t), args, 1, expected)
  })

  it('is not changed by nothing', async (t) => {
    await refused(await commandLine(t), ['notifier', 'update', 'x'], 2, /nothing to change: give --setting/)
  })
})

function withoutId({ id: _, ...rest }: Record<string, unknown>): Record<string, unknown> {
  return rest
}
