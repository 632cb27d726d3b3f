import { CommanderError } from 'commander'
import { RelayError } from '../core/errors.js'
import { Ended } from './ended.js'
import { createProgram } from './program.js'
import { Interrupted } from './signals.js'

const OK = 0
const FAILED = 1
const WRONG_USAGE = 2

/** Runs one command line and resolves to its exit code: 0 done, 1 failed, 2 wrongly used. Prints what went wrong. */
export async function runCli(args: string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' })
    return OK
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? OK : WRONG_USAGE
    if (error instanceof Interrupted || error instanceof Ended) return error.exitCode
    console.error(describe(error))
    return FAILED
  }
}

/** An expected error as `CODE: message`, with its causes at debug level only; any other with its stack. */
function describe(error: unknown): string {
  if (!(error instanceof RelayError)) {
    return error instanceof Error && error.stack ? error.stack : String(error)
  }
  const lines = [`${error.code}: ${error.message}`]
  if (process.env.BPMN_RELAY_LOG_LEVEL === 'debug') {
    for (
      let cause = error.cause;
      cause !== undefined;
      cause = cause instanceof Error ? cause.cause : undefined
    )
      lines.push(`caused by ${cause instanceof Error && cause.stack ? cause.stack : String(cause)}`)
  }
  return lines.join('\n')
}
