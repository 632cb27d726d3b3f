import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { describe, it } from 'node:test'
import { commandLine, ended, ok, refused } from '../../helpers/cli.js'

describe('the command line', () => {
  it('shows help without a database', async (t) => {
    const cli = await commandLine(t)
    const { code, stdout } = await cli.run(['--help'], {
      env: { DATABASE_URL: 'postgres://127.0.0.1:1/none' },
    })
    assert.equal(code, 0)
    assert.match(stdout, /Examples:/)
  })

  it('answers an unknown command with exit code 2', async (t) => {
    await refused(await commandLine(t), ['adaptr'], 2, /unknown command 'adaptr'/)
  })

  it('says which variable of the configuration is wrong and what would be right', async (t) => {
    const cli = await commandLine(t)
    const { code, stderr } = await cli.run(['env', 'list'], { env: { BPMN_RELAY_MAX_IN_FLIGHT: 'many' } })
    assert.equal(code, 1)
    assert.match(stderr, /^CONFIG_INVALID: BPMN_RELAY_MAX_IN_FLIGHT is "many": use a whole number from 1/)
  })

  it('does not repeat the password of a database it cannot reach', async (t) => {
    const cli = await commandLine(t)
    const env = { DATABASE_URL: 'postgres://relay:pa55word@127.0.0.1:1/relay' }
    const { code, stderr } = await cli.run(['env', 'list'], { env })
    assert.equal(code, 1)
    assert.match(stderr, /^DATABASE_UNREACHABLE: Postgres at postgres:\/\/127\.0\.0\.1:1\/relay/)
    assert.doesNotMatch(stderr, /pa55word/)
  })

  it('shows the cause of an error at debug level', async (t) => {
    const cli = await commandLine(t)
    const env = { DATABASE_URL: 'postgres://127.0.0.1:1/none', BPMN_RELAY_LOG_LEVEL: 'debug' }
    assert.match((await cli.run(['env', 'list'], { env })).stderr, /caused by .*ECONNREFUSED/)
  })
})

describe('migrate', () => {
  it('brings a new database up to date and finds nothing to do the second time', async (t) => {
    const cli = await commandLine(t, { isEmpty: true })
    assert.match(await ok(cli, ['migrate']), /^Migrations run: \d+\.\n$/)
    assert.equal(await ok(cli, ['migrate']), 'The schema is up to date.\n')
  })

  it('takes a migration back when told so', async (t) => {
    const cli = await commandLine(t)
    assert.equal(await ok(cli, ['migrate', '--down', '1', '--yes']), 'Migrations taken back: 1.\n')
    assert.equal(await ok(cli, ['migrate']), 'Migrations run: 1.\n')
  })

  it('does not take anything back unasked where there is no terminal', async (t) => {
    await refused(await commandLine(t), ['migrate', '--down', '1'], 2, /add --yes/)
  })
})

describe('start', () => {
  it('ends with 0 after SIGTERM, even while no engine answers', async (t) => {
    const cli = await commandLine(t)
    const worker = cli.start(['start'], { ZEEBE_ADDRESS: '127.0.0.1:1' })
    const end = ended(worker)
    await printed(worker, 'the engine does not answer yet')
    worker.kill('SIGTERM')
    const { code, stderr } = await end
    assert.equal(code, 0, stderr)
    assert.match(stderr, /stopped\n$/)
  })

  it('ends at once after a second signal', async (t) => {
    const cli = await commandLine(t, { isEmpty: true })
    const worker = cli.start(['start'], { ZEEBE_ADDRESS: '127.0.0.1:1' })
    const end = ended(worker)
    await printed(worker, 'migrated')
    worker.kill('SIGINT')
    worker.kill('SIGTERM')
    assert.ok([130, 143].includes((await end).code ?? 0))
  })
})

/** Resolves once a command has printed the text to standard error. */
function printed(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let seen = ''
    child.stderr?.on('data', (chunk) => {
      seen += chunk
      if (seen.includes(text)) resolve()
    })
    child.on('close', () => reject(new Error(`it ended without "${text}": ${seen}`)))
  })
}
