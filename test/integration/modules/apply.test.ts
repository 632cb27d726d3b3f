import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import pg from 'pg'
import { type CommandLine, commandLine, ok, refused } from '../../helpers/cli.js'

const SECRETS = /from-the-environment|from-a-file|hush-hush/

const ALL = `
variables:
  - name: KAFKA
    value: 127.0.0.1:9092
    description: brokers
  - name: PASSWORD
    secret: true
    valueFrom: {env: RELAY_TEST_PASSWORD}
  - name: HOOK
    secret: true
    valueFrom: {file: hook.txt}
adapters:
  - name: orders
    kind: kafka
    address: '@env(KAFKA)'
    settings: {acks: leader, sasl: {mechanism: plain, username: relay, password: '@env(PASSWORD)'}}
    valueSerialization: json
  - name: news
    kind: rocketmq
    address: 127.0.0.1:9876
    enabled: false
    logResults: true
notifiers:
  - name: ops
    kind: webhook
    settings: {url: '@env(HOOK)', preset: slack}
alertPolicies:
  - name: fails
    metric: error_rate
    operator: above
    threshold: 0.05
    adapters: [orders]
    notifiers: [ops]
    owners: [ada]
triggers:
  - name: order-started
    adapter: orders
    topics: [orders]
    action: {kind: start, processId: order}
    startupPosition: {type: specific-offsets, offsets: [orders/0: 91, orders/1: 9007199254740993]}
  - name: paid
    adapter: orders
    topicPattern: 'paid-.*'
    action: {kind: message, name: paid, correlationKey: value.order}
    state: paused
  - name: mirror
    adapter: orders
    topics: [facts]
    group: mirrors
    action: {kind: forward, adapter: news}
    deadLetterTopic: dead
    deadLetterAdapter: news
`

const ENVIRONMENT = { RELAY_TEST_PASSWORD: 'from-the-environment' }

describe('apply', () => {
  it('makes everything that a file declares, and the same file again changes nothing', async (t) => {
    const { cli, file } = await setup(t, ALL)
    const made = await ok(cli, ['apply', '-f', file])
    assert.match(made, /^\+ adapter orders$/m)
    assert.match(made, /^10 created, 0 changed, 0 deleted, 0 unchanged\.$/m)
    const before = await rowsOf(cli)
    assert.equal(await ok(cli, ['apply', '-f', file]), '0 created, 0 changed, 0 deleted, 10 unchanged.\n')
    assert.deepEqual(await rowsOf(cli), before)
  })

  it('begins a trigger where it is said, once', async (t) => {
    const { cli, file } = await setup(t, ALL)
    await ok(cli, ['apply', '-f', file])
    const moves = `SELECT pending_moves AS moves FROM trigger WHERE name = 'order-started'`
    const [made] = await query(cli, moves)
    assert.deepEqual(made?.moves, [
      { to: { at: 'offset', offset: '91' }, topic: 'orders', partitions: [0] },
      { to: { at: 'offset', offset: '9007199254740993' }, topic: 'orders', partitions: [1] },
    ])
    await query(cli, `UPDATE trigger SET pending_moves = '[]'`)
    await ok(cli, ['apply', '-f', file])
    assert.deepEqual((await query(cli, moves))[0]?.moves, [])
  })

  it('shows with --dry-run what would change and changes nothing, by exit code 2', async (t) => {
    const { cli, file } = await setup(t, ALL)
    const { code, stdout } = await cli.run(['apply', '-f', file, '--dry-run'])
    assert.equal(code, 2)
    assert.match(stdout, /10 would be created/)
    assert.deepEqual(JSON.parse(await ok(cli, ['adapter', 'list', '--json'])), [])
    await ok(cli, ['apply', '-f', file])
    assert.equal((await cli.run(['apply', '-f', file, '--dry-run'])).code, 0)
  })

  it('changes what differs, field by field, and counts one revision', async (t) => {
    const { cli, file, write } = await setup(t, ALL)
    await ok(cli, ['apply', '-f', file])
    write(ALL.replace('acks: leader', 'acks: all').replace('threshold: 0.05', 'threshold: 0.1'))
    const changed = await ok(cli, ['apply', '-f', file])
    assert.match(changed, /^~ adapter orders\n {4}settings\.acks: "leader" -> "all"$/m)
    assert.match(changed, /^~ alert policy fails\n {4}threshold: 0\.05 -> 0\.1$/m)
    assert.match(changed, /0 created, 2 changed, 0 deleted, 8 unchanged/)
    assert.equal(JSON.parse(await ok(cli, ['adapter', 'show', 'orders', '--json'])).revision, 2)
  })

  it('leaves alone what operators switched off, unless the file speaks of it', async (t) => {
    const { cli, file, write } = await setup(t, ALL)
    await ok(cli, ['apply', '-f', file])
    const { stderr } = await cli.run(['adapter', 'disable', 'orders'])
    assert.match(stderr, /kept by `bpmn-relay apply`/)
    assert.match(await ok(cli, ['apply', '-f', file]), /10 unchanged/)
    write(ALL.replace("address: '@env(KAFKA)'", "address: '@env(KAFKA)'\n    enabled: true"))
    assert.match(await ok(cli, ['apply', '-f', file]), /enabled: false -> true/)
  })

  it('takes over what was made by hand', async (t) => {
    const { cli, file } = await setup(t, ALL)
    await ok(cli, ['env', 'set', 'KAFKA', '127.0.0.1:9092', '--description', 'brokers'])
    assert.match(await ok(cli, ['apply', '-f', file]), /^~ variable KAFKA\n {4}managed: false -> true$/m)
  })

  it('tells of everything that is wrong, with its place, and changes nothing', async (t) => {
    const text = `${ALL}  - {name: lost, adapter: gone, topics: [a], action: {kind: start, processId: p}}\n`
    const wrong = text
      .replace('acks: leader', 'acks: none, idempotent: true')
      .replace('metric: error_rate', 'metric: rate')
    const { cli, file } = await setup(t, wrong)
    const lines = [
      /MODULE_INVALID: 3 problems/,
      /16:28: adapter "orders": idempotent true contradicts acks none/,
    ]
    await refused(
      cli,
      ['apply', '-f', file],
      1,
      ...lines,
      /metric is "rate"/,
      /"gone" is neither declared nor there/,
    )
    assert.deepEqual(JSON.parse(await ok(cli, ['env', 'list', '--json'])), [])
  })

  it('points out what is allowed and may not be meant', async (t) => {
    const { cli, file } = await setup(t, ALL.replace('group: mirrors', 'group: bpmn-relay-order-started'))
    const { stderr } = await cli.run(['apply', '-f', file])
    assert.match(
      stderr,
      /Warning: .*:46:5: trigger "mirror": group "bpmn-relay-order-started" is that of trigger/,
    )
  })

  it('deletes with --prune what it made and no file names any more, and nothing else', async (t) => {
    const { cli, file, write } = await setup(t, ALL)
    await ok(cli, ['env', 'set', 'BY_HAND', 'x'])
    await ok(cli, ['apply', '-f', file])
    write('variables:\n  - {name: KAFKA, value: "127.0.0.1:9092", description: brokers}\n')
    assert.match(await ok(cli, ['apply', '-f', file]), /0 deleted/)
    assert.match(
      await ok(cli, ['apply', '-f', file, '--prune']),
      /^- adapter orders$[\s\S]*9 deleted, 1 unchanged/m,
    )
    const left: { name: string }[] = JSON.parse(await ok(cli, ['env', 'list', '--json']))
    assert.deepEqual(
      left.map(({ name }) => name),
      ['BY_HAND', 'KAFKA'],
    )
  })

  it('deletes nothing that something else still uses, and takes everything back then', async (t) => {
    const { cli, file, write } = await setup(t, ALL)
    await ok(cli, ['apply', '-f', file])
    await ok(cli, ['adapter', 'create', '--name', 'mine', '--kind', 'kafka', '--address', '@env(KAFKA)'])
    write('variables: [{name: NEW, value: x}]')
    const inUse = /ENV_IN_USE: variable "KAFKA" is declared no more and cannot be deleted: .*"mine"/
    await refused(cli, ['apply', '-f', file, '--prune'], 1, inUse)
    assert.match(await ok(cli, ['adapter', 'list']), /^orders /m)
    assert.doesNotMatch(await ok(cli, ['env', 'list']), /NEW/)
  })

  it('shows no secret, neither on the screen nor in the audit log', async (t) => {
    const { cli, file, write } = await setup(t, ALL)
    const outputs = [await cli.run(['apply', '-f', file, '--json'])]
    write(ALL.replace("'@env(PASSWORD)'", 'hush-hush'))
    outputs.push(
      await cli.run(['apply', '-f', file]),
      await cli.run(['audit', 'list', '--json', '--limit', '100']),
    )
    write(ALL.replace("'@env(PASSWORD)'", 'another-hush-hush'))
    outputs.push(await cli.run(['apply', '-f', file]), await cli.run(['export']))
    assert.match(outputs[1]?.stdout ?? '', /password: "@env\(PASSWORD\)" -> \(secret\)/)
    assert.match(outputs[3]?.stdout ?? '', /password: \(secret\) changed/)
    for (const { stdout, stderr, code } of outputs) {
      assert.equal(code, 0, stderr)
      assert.doesNotMatch(stdout + stderr, SECRETS)
    }
    assert.match(outputs[2]?.stdout ?? '', /"operation":"modules.apply"/)
  })

  it('lets one apply after the other at it, from folders and standard input', async (t) => {
    const { cli, file, folder } = await setup(t, ALL)
    await ok(cli, ['migrate'])
    const both = await Promise.all([
      cli.run(['apply', '-f', folder], { env: ENVIRONMENT, stdin: '' }),
      cli.run(['apply', '-f', file, '-f', '-'], {
        env: ENVIRONMENT,
        stdin: 'variables: [{name: MORE, value: x}]',
      }),
    ])
    const created = both.map(({ stdout, stderr }) => Number(/^(\d+) created/m.exec(stdout)?.[1] ?? stderr))
    assert.ok(['10,1', '0,11'].includes(created.join(',')), created.join(','))
  })

  it('tells of every variable whose value is not to be had', async (t) => {
    const variables = [
      '{name: A}',
      '{name: B, valueFrom: {env: NO_SUCH_THING}}',
      '{name: C, valueFrom: {file: gone.txt}}',
      '{name: D, value: x, valueFrom: {env: PATH}}',
    ]
    const { cli, file } = await setup(t, `variables:\n${variables.map((each) => `  - ${each}\n`).join('')}`)
    const messages = [
      /:2:5: variable "A": it has no value here, .*env set A/,
      /:3:27: variable "B": .*NO_SUCH_THING, which is not set/,
      /:4:27: variable "C": .* cannot be read: ENOENT/,
      /:5:15: variable "D": .*exclude each other/,
    ]
    await refused(cli, ['apply', '-f', file], 1, /4 problems/, ...messages)
  })

  it('takes the examples of its description', async (t) => {
    const page = readFileSync(new URL('../../../docs/modules.md', import.meta.url), 'utf8')
    const examples = [...page.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map(([, text]) => text)
    const { cli, file } = await setup(t, examples.join('---\n'))
    const env = { KAFKA_PASSWORD: 'from-the-environment' }
    const { stdout, stderr } = await cli.run(['apply', '-f', file, '--dry-run'], { env })
    assert.match(stdout, /^10 would be created/m, stderr)
    assert.match(stdout, /group: "greetings\.names\.counter"/)
  })
})

describe('export', () => {
  it('writes what makes the same of an empty database', async (t) => {
    const first = await setup(t, ALL)
    await ok(first.cli, ['apply', '-f', first.file])
    const text = await ok(first.cli, ['export'])
    const second = await setup(t, text)
    const secrets = { PASSWORD: 'from-the-environment', HOOK: 'https://example.com/from-a-file' }
    for (const [name, value] of Object.entries(secrets)) {
      await ok(second.cli, ['env', 'set', name, value, '--secret'])
    }
    await ok(second.cli, ['apply', '-f', second.file])
    assert.equal(await ok(second.cli, ['export']), text)
    assert.match(await ok(second.cli, ['apply', '-f', second.file]), /10 unchanged/)
    assert.match(await ok(first.cli, ['apply', '-f', second.file]), /10 unchanged/)
  })

  it('leaves secrets out with a comment, keeps them where they are and asks for them elsewhere', async (t) => {
    const { cli, file, write } = await setup(t, ALL.replace("'@env(PASSWORD)'", 'hush-hush'))
    await ok(cli, ['apply', '-f', file])
    const text = await ok(cli, ['export', '--adapters', 'orders', '--variables', 'KAFKA'])
    assert.match(text, /password: \(secret\) # not exported/)
    assert.doesNotMatch(text, /hush|news|triggers/)
    write(text)
    assert.match(await ok(cli, ['apply', '-f', file]), /2 unchanged/)
    const elsewhere = await setup(t, text)
    const asked =
      /adapter "orders": sasl\.password is \(secret\), which keeps the secret there is, and there is none/
    await refused(elsewhere.cli, ['apply', '-f', elsewhere.file], 1, asked)
  })

  it('names what is not there', async (t) => {
    const { cli } = await setup(t, '')
    await refused(
      cli,
      ['export', '--adapters', 'x'],
      1,
      /NOT_FOUND: there is no adapter "x": there are none yet/,
    )
  })
})

async function setup(t: TestContext, text: string) {
  const folder = mkdtempSync(path.join(tmpdir(), 'modules-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = path.join(folder, 'relay.yaml')
  const write = (content: string) => writeFileSync(file, content)
  write(text)
  writeFileSync(path.join(folder, 'hook.txt'), 'https://example.com/from-a-file\n')
  const line = await commandLine(t)
  const cli: CommandLine = {
    ...line,
    run: (args, options) => line.run(args, { env: ENVIRONMENT, ...options }),
  }
  return { cli, file, folder, write }
}

/** All that apply may change, with revisions and times. */
async function rowsOf(cli: CommandLine): Promise<unknown[]> {
  const tables = ['environment_variable', 'adapter', 'notifier', 'alert_policy', 'trigger']
  return await Promise.all(tables.map((table) => query(cli, `SELECT * FROM ${table} ORDER BY name`)))
}

async function query(cli: CommandLine, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: cli.databaseUrl })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}
