import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { type CommandLine, commandLine, type Ended } from './cli.js'
import { testServers } from './servers.js'

export interface Operator {
  /** What a command prints; it must succeed. Of commands that take one, `--adapter` is added. */
  ok(args: string[], stdin?: string): Promise<string>
  /** As `ok`, with `--json`. */
  json(args: string[]): Promise<unknown>
  /** What a refused command says; it must not print anything else. */
  refused(args: string[], stdin?: string): Promise<Ended>
  start: CommandLine['start']
}

export interface OperatedAdapter {
  /** Default: the shared Kafka. */
  address?: string
  kind?: string
  /** As `path=value`. */
  settings?: string[]
}

/** The command line of someone who has one adapter, `broker`. */
export async function operator(
  t: TestContext,
  { address = testServers().kafka.bootstrapServers, kind = 'kafka', settings = [] }: OperatedAdapter = {},
): Promise<Operator> {
  const cli = await commandLine(t)
  const order = ['--name', 'broker', '--kind', kind, '--address', address]
  const setting = settings.flatMap((each) => ['--setting', each])
  const made = await cli.run(['adapter', 'create', ...order, ...setting])
  assert.equal(made.code, 0, made.stderr)
  const complete = (args: string[]) =>
    args[0] === 'adapter' || args[0] === 'audit' ? args : [...args, '--adapter', 'broker']
  const ok: Operator['ok'] = async (args, stdin = '') => {
    const { code, stdout, stderr } = await cli.run(complete(args), { stdin })
    assert.equal(code, 0, stderr)
    return stdout
  }
  return {
    ok,
    json: async (args) => JSON.parse(await ok([...args, '--json'])),
    async refused(args, stdin = '') {
      const result = await cli.run(complete(args), { stdin })
      assert.notEqual(result.code, 0, result.stdout)
      assert.doesNotMatch(result.stderr, /\n\s+at /, 'a stack trace is for faults of the program only')
      return result
    },
    start: (args, env) => cli.start(complete(args), env),
  }
}
