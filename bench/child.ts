import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'
import { messageOf } from '../src/core/errors.js'

/**
 * Every variant runs in a process of its own, so that its CPU time is its own. Both ends of the wire are here: the
 * runner asks, the child answers one request after the other.
 */

const SETUP = 'BPMN_RELAY_BENCH_SETUP'
const START_LIMIT_MS = 30_000

const Reply = Type.Union([
  Type.Object({ ready: Type.Literal(true) }),
  Type.Object({ answer: Type.Unknown() }),
  Type.Object({ failure: Type.String() }),
])

export class Child {
  readonly #name: string
  readonly #process: ChildProcess

  private constructor(name: string, child: ChildProcess) {
    this.#name = name
    this.#process = child
  }

  /** @param file below bench/workers, without its ending; `setup` is what it gets from `setupOf` */
  static async start(file: string, setup: unknown): Promise<Child> {
    const module = fileURLToPath(new URL(`./workers/${file}.ts`, import.meta.url))
    const child = fork(module, {
      execArgv: ['--import', 'tsx', '--expose-gc', ...extraFlags(file)],
      env: { ...process.env, [SETUP]: JSON.stringify(setup) },
    })
    const started = new Child(file, child)
    const signal = AbortSignal.timeout(START_LIMIT_MS)
    await started.#reply(signal)
    return started
  }

  async ask<Answer extends TSchema>(request: object, answer: Answer): Promise<Static<Answer>> {
    this.#process.send(request)
    const reply = await this.#reply()
    return Value.Parse(answer, 'answer' in reply ? reply.answer : undefined)
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const exit = once(this.#process, 'exit')
    this.#process.disconnect()
    await exit
  }

  async #reply(signal?: AbortSignal): Promise<Static<typeof Reply>> {
    const settled = new AbortController()
    const either = AbortSignal.any([settled.signal, ...(signal ? [signal] : [])])
    try {
      const [message] = await Promise.race([
        once(this.#process, 'message', { signal: either }),
        once(this.#process, 'exit', { signal: either }).then(([code]) => {
          throw new Error(`the process ${this.#name} ended by itself with ${code}`)
        }),
      ])
      const reply = Value.Parse(Reply, message)
      if ('failure' in reply) throw new Error(`${this.#name}: ${reply.failure}`)
      return reply
    } finally {
      settled.abort()
    }
  }
}

/** See BPMN_RELAY_BENCH_PROFILE in run.ts. */
function extraFlags(file: string): string[] {
  return process.env.BPMN_RELAY_BENCH_PROFILE === file ? ['--cpu-prof', '--cpu-prof-dir=.bench-profiles'] : []
}

/** In a child: what the runner gave it to start with. */
export function setupOf<Setup extends TSchema>(schema: Setup): Static<Setup> {
  return Value.Parse(schema, JSON.parse(process.env[SETUP] ?? 'null'))
}

/** In a child: answers requests until the runner lets go of it, then closes. */
export function serve<Request extends TSchema>(
  schema: Request,
  handle: (request: Static<Request>) => Promise<unknown>,
  close: () => Promise<unknown>,
): void {
  const send = (reply: Static<typeof Reply>) => process.send?.(reply)
  process.on('message', async (message) => {
    try {
      send({ answer: await handle(Value.Parse(schema, message)) })
    } catch (error) {
      send({ failure: error instanceof Error ? (error.stack ?? error.message) : messageOf(error) })
    }
  })
  process.on('disconnect', async () => {
    await close()
    process.exit(0)
  })
  send({ ready: true })
}
