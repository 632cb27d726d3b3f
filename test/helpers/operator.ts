import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { TestContext } from 'node:test'
import { type CommandLine, commandLine, type Ended } from './cli.js'
import { testServers } from './servers.js'

export interface Operator {
  /** What a command prints; it must succeed. Of commands that take one, `--adapter` is added. */
  ok(args: string[], stdin?: string | Buffer): Promise<string>
  /** As `ok`, with `--json`. */
  json(args: string[]): Promise<unknown>
  /** What a refused command says; it must not print anything else. */
  refused(args: string[], stdin?: string | Buffer): Promise<Ended>
  /** How a command ends. */
  run(args: string[], stdin?: string | Buffer): Promise<Ended>
  start: CommandLine['start']
}

export interface OperatorOptions {
  kind?: 'kafka' | 'rocketmq'
  /** Default: that of the shared servers. */
  address?: string
  /** What else `adapter create` is given. */
  adapter?: string[]
  env?: Record<string, string>
}

/** The command line of someone who has one adapter, `broker`. */
export async function operator(t: TestContext, options: OperatorOptions = {}): Promise<Operator> {
  const { kind = 'kafka', adapter = [], env = {} } = options
  const { kafka, rocketmq } = testServers()
  const address = options.address ?? (kind === 'kafka' ? kafka.bootstrapServers : rocketmq.nameServer)
  const cli = await commandLine(t)
  const create = ['adapter', 'create', '--name', 'broker', '--kind', kind, '--address', address, ...adapter]
  const made = await cli.run(create, { env })
  assert.equal(made.code, 0, made.stderr)
  const complete = (args: string[]) =>
    args[0] === 'adapter' || args[0] === 'audit' ? args : [...args, '--adapter', 'broker']
  const run: Operator['run'] = (args, stdin) =>
    cli.run(complete(args), { ...(stdin === undefined ? {} : { stdin }), env })
  const ok: Operator['ok'] = async (args, stdin) => {
    const { code, stdout, stderr } = await run(args, stdin)
    assert.equal(code, 0, stderr)
    return stdout
  }
  return {
    ok,
    run,
    json: async (args) => JSON.parse(await ok([...args, '--json'])),
    async refused(args, stdin) {
      const result = await run(args, stdin)
      assert.notEqual(result.code, 0, result.stdout)
      assert.doesNotMatch(result.stderr, /\n\s+at /, 'a stack trace is for faults of the program only')
      return result
    },
    start: (args, more) => cli.start(complete(args), { ...env, ...more }),
  }
}

/** Addresses of the shared Kafka. */
export const shared = (): string => testServers().kafka.bootstrapServers

export const newName = (): string => `test-${randomUUID()}`
