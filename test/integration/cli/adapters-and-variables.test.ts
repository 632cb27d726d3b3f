import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { commandLine, ok, refused } from '../../helpers/cli.js'

const KAFKA = ['--kind', 'kafka', '--address', '127.0.0.1:9092']
const ORDERS = ['adapter', 'create', '--name', 'orders', ...KAFKA]

describe('adapter', () => {
  it('is created, listed, shown by name and deleted', async (t) => {
    const cli = await commandLine(t)
    assert.match(
      await ok(cli, [...ORDERS, '--description', '订单']),
      /Adapter "orders" is made: id [\w-]{36}/,
    )
    assert.match(await ok(cli, ['adapter', 'list']), /^orders +kafka +127\.0\.0\.1:9092 +yes +订单$/m)
    assert.match(await ok(cli, ['adapter', 'show', 'orders']), /^keySerialization +string$/m)
    assert.match(await ok(cli, ['adapter', 'delete', 'orders', '--yes']), /"orders" is deleted/)
    assert.match(await ok(cli, ['adapter', 'list']), /No adapters yet/)
  })

  it('is in the audit log with what was done to it, as are variables, without a secret', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, ['env', 'set', 'TOKEN', 'in-the-open', '--secret'])
    const sasl = ['sasl.mechanism=plain', 'sasl.username=relay', 'sasl.password=in-the-open']
    await ok(cli, [...ORDERS, '--setting', ...sasl])
    await refused(cli, ORDERS, 1, /NAME_TAKEN/)
    await ok(cli, ['adapter', 'delete', 'orders', '--yes'])
    await ok(cli, ['env', 'delete', 'TOKEN'])
    const recorded = await ok(cli, ['audit', 'list', '--source', 'admin', '--json'])
    assert.doesNotMatch(recorded, /in-the-open/)
    const rows = recorded
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    assert.deepEqual(
      rows.reverse().map(({ operation, status }) => `${operation} ${status}`),
      [
        'env.set done',
        'adapter.create done',
        'adapter.create rejected',
        'adapter.delete done',
        'env.delete done',
      ],
    )
  })

  it('is shown by its id too', async (t) => {
    const cli = await commandLine(t)
    const [, id = ''] = /id (\S+)\.$/m.exec(await ok(cli, ORDERS)) ?? []
    assert.equal(JSON.parse(await ok(cli, ['adapter', 'show', id, '--json'])).name, 'orders')
  })

  it('prints nothing but JSON with --json, even when it migrates on the way', async (t) => {
    const cli = await commandLine(t)
    assert.deepEqual(JSON.parse(await ok(cli, ['adapter', 'list', '--json'])), [])
  })

  it('gets settings of the types its kind gives them', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, [...ORDERS, '--setting', 'acks=leader', 'requestTimeoutMs=5000', 'ssl.enabled=true'])
    assert.deepEqual(JSON.parse(await ok(cli, ['adapter', 'show', 'orders', '--json'])).settings, {
      acks: 'leader',
      requestTimeoutMs: 5000,
      ssl: { enabled: true },
    })
  })

  it('gets its switches from the flags', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, [...ORDERS, '--no-audit', '--no-sla', '--log-results', '--disabled'])
    const shown = JSON.parse(await ok(cli, ['adapter', 'show', 'orders', '--json']))
    assert.deepEqual(
      [shown.auditRequests, shown.slaMonitoring, shown.logResults, shown.enabled],
      [false, false, true, false],
    )
  })

  it('keeps serializations with their settings, the password of the schema registry as a secret', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, ['env', 'set', 'REGISTRY', 'https://registry.example.com'])
    const settings = ['schemaRegistry.url=@env(REGISTRY)', 'schemaRegistry.value.schemaId=7']
    const login = ['schemaRegistry.username=relay', 'schemaRegistry.password=in-the-open']
    const serializations = ['--key-serialization', 'long', '--value-serialization', 'avro']
    await ok(cli, [...ORDERS, ...serializations, '--setting', ...settings, ...login])
    const shown = JSON.parse(await ok(cli, ['adapter', 'show', 'orders', '--json']))
    assert.deepEqual([shown.keySerialization, shown.valueSerialization], ['long', 'avro'])
    assert.deepEqual(shown.settings.schemaRegistry, {
      url: '@env(REGISTRY)',
      value: { schemaId: 7 },
      username: 'relay',
      password: '(secret)',
    })
    assert.match(await ok(cli, ['adapter', 'settings', 'rocketmq']), /^schemaRegistry\.subjectStrategy/m)
  })

  it('never shows a secret setting, but the reference to a secret variable', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, ['env', 'set', 'PASSWORD', '-', '--secret'], 'behind-env\n')
    const sasl = ['--setting', 'sasl.mechanism=plain', 'sasl.username=relay']
    await ok(cli, [...ORDERS, ...sasl, 'sasl.password=in-the-open'])
    await ok(cli, ['adapter', 'create', '--name', 'news', ...KAFKA, ...sasl, 'sasl.password=@env(PASSWORD)'])
    const outputs = await Promise.all(
      [
        ['adapter', 'show', 'orders'],
        ['adapter', 'show', 'orders', '--json'],
        ['adapter', 'list', '--json'],
        ['adapter', 'show', 'news'],
        ['env', 'list'],
        ['env', 'list', '--json'],
      ].map((args) => cli.run(args, { env: { BPMN_RELAY_LOG_LEVEL: 'debug' } })),
    )
    for (const { stdout, stderr } of outputs) {
      assert.doesNotMatch(stdout + stderr, /in-the-open|behind-env|sealed:/)
    }
    assert.match(outputs[0]?.stdout ?? '', /^settings\.sasl\.password +\(secret\)$/m)
    assert.match(outputs[3]?.stdout ?? '', /^settings\.sasl\.password +@env\(PASSWORD\)$/m)
  })

  it('explains the settings of a kind without a database', async (t) => {
    const cli = await commandLine(t)
    const env = { DATABASE_URL: 'postgres://127.0.0.1:1/none' }
    const { stdout } = await cli.run(['adapter', 'settings', 'rocketmq'], { env })
    assert.match(stdout, /^secretKey \(string, secret\)$/m)
  })

  const refusals: [why: string, args: string[], code: number, ...expected: RegExp[]][] = [
    [
      'an unknown setting',
      [...ORDERS, '--setting', 'ack=all'],
      1,
      /^SETTINGS_INVALID: setting ack is unknown to kafka: use one of .*\backs\b/m,
    ],
    [
      'a setting without a value',
      [...ORDERS, '--setting', 'acks'],
      1,
      /SETTINGS_INVALID: .*"acks" has no "="/,
    ],
    [
      'a setting of the wrong type',
      [...ORDERS, '--setting', 'idempotent=maybe'],
      1,
      /SETTINGS_INVALID: setting idempotent is "maybe": use true or false/,
    ],
    [
      'settings that contradict each other',
      [...ORDERS, '--setting', 'acks=none', 'idempotent=true'],
      1,
      /SETTINGS_INVALID: .*idempotent.*acks/,
    ],
    [
      'an unknown kind',
      ['adapter', 'create', '--name', 'x', '--kind', 'rabbit', '--address', 'h:1'],
      1,
      /SETTINGS_INVALID: kind "rabbit" is unknown: use one of kafka, rocketmq/,
    ],
    [
      'a variable that does not exist',
      ['adapter', 'create', '--name', 'x', '--kind', 'kafka', '--address', '@env(NOWHERE)'],
      1,
      /ENV_UNKNOWN: .*"NOWHERE".*bpmn-relay env set NOWHERE/,
    ],
    [
      'another formula than @env in the address',
      ['adapter', 'create', '--name', 'x', '--kind', 'kafka', '--address', '@secret(KAFKA)'],
      1,
      /SETTINGS_INVALID: .*@secret\(…\): only @env\(NAME\) is known/,
    ],
    [
      'an address without a port',
      ['adapter', 'create', '--name', 'x', '--kind', 'kafka', '--address', 'kafka'],
      1,
      /SETTINGS_INVALID: .*"kafka".*host:port/,
    ],
    [
      'an unknown serialization',
      [...ORDERS, '--key-serialization', 'xml'],
      1,
      /keySerialization is "xml": use one of string, json, bytes, short/,
    ],
    [
      'a serialization that lacks its settings',
      [...ORDERS, '--key-serialization', 'avro'],
      1,
      /SETTINGS_INVALID: the key's serialization is avro, but schemaRegistry\.url is not set/,
    ],
    [
      'a settings file that is not there',
      [...ORDERS, '--settings-file', 'none.json'],
      1,
      /none\.json cannot be used/,
    ],
    ['a missing address', ['adapter', 'create', '--name', 'x', '--kind', 'kafka'], 2, /--address/],
    ['showing one that is not there', ['adapter', 'show', 'gone'], 1, /NOT_FOUND: .*"gone".*adapter list/],
    ['deleting one that is not there', ['adapter', 'delete', 'gone', '--yes'], 1, /NOT_FOUND: .*"gone"/],
    ['deleting unasked without a terminal', ['adapter', 'delete', 'orders'], 2, /add --yes/],
    ['listing calls from a wrong time on', ['audit', 'list', '--since', 'yesterday'], 2, /30m, 1h or 7d/],
    [
      'listing calls of a wrong status',
      ['audit', 'list', '--status', 'lost'],
      2,
      /published, skipped, done, rejected, failed/,
    ],
    ['listing no calls', ['audit', 'list', '--limit', '0'], 2, /whole number from 1/],
    ['calls of an instance without a key', ['audit', 'list', '--process-instance', 'x'], 2, /key of digits/],
    ['counters from a wrong time on', ['sla', 'show', '--since', '1 hour'], 2, /30m, 1h or 7d/],
    [
      'a variable with a wrong name',
      ['env', 'set', 'a b', 'x'],
      1,
      /SETTINGS_INVALID: "a b" cannot name a variable/,
    ],
    ['deleting a variable that is not there', ['env', 'delete', 'NOWHERE'], 1, /NOT_FOUND: .*"NOWHERE"/],
  ]
  for (const [why, args, code, ...expected] of refusals) {
    it(`refuses ${why}, with the cure`, async (t) => {
      await refused(await commandLine(t), args, code, ...expected)
    })
  }

  it('is refused under a name that is taken', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, ORDERS)
    await refused(cli, ORDERS, 1, /^NAME_TAKEN: .*"orders" already: choose another name/)
  })
})

describe('env', () => {
  it('lists each variable with the adapters that use it', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, ['env', 'set', 'KAFKA', '127.0.0.1:9092', '--description', 'brokers'])
    await ok(cli, ['adapter', 'create', '--name', 'orders', '--kind', 'kafka', '--address', '@env(KAFKA)'])
    assert.deepEqual(JSON.parse(await ok(cli, ['env', 'list', '--json'])), [
      {
        name: 'KAFKA',
        value: '127.0.0.1:9092',
        secret: false,
        description: 'brokers',
        managed: false,
        usedBy: ['orders'],
      },
    ])
  })

  it('deletes a variable in use only by force', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, ['env', 'set', 'KAFKA', '127.0.0.1:9092'])
    await ok(cli, ['adapter', 'create', '--name', 'orders', '--kind', 'kafka', '--address', '@env(KAFKA)'])
    await refused(cli, ['env', 'delete', 'KAFKA'], 1, /^ENV_IN_USE: "KAFKA" is used by "orders": .*--force/)
    await ok(cli, ['env', 'delete', 'KAFKA', '--force'])
    assert.deepEqual(JSON.parse(await ok(cli, ['env', 'list', '--json'])), [])
  })

  it('keeps a secret variable secret when it is changed', async (t) => {
    const cli = await commandLine(t)
    await ok(cli, ['env', 'set', 'PASSWORD', '-', '--secret'], 'first')
    await ok(cli, ['env', 'set', 'PASSWORD', '-'], 'second')
    assert.equal(JSON.parse(await ok(cli, ['env', 'list', '--json']))[0].value, '(secret)')
  })

  it('tells how to get a master key where a secret needs one', async (t) => {
    const cli = await commandLine(t)
    const { code, stderr } = await cli.run(['env', 'set', 'PASSWORD', '-', '--secret'], {
      stdin: 'x',
      env: { BPMN_RELAY_MASTER_KEY: '' },
    })
    assert.equal(code, 1)
    assert.match(stderr, /^MASTER_KEY_MISSING: .*BPMN_RELAY_MASTER_KEY.*openssl rand/m)
  })
})
