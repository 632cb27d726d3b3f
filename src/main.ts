#!/usr/bin/env node
import { runCli } from './cli/run.js'

// Warnings of libraries are for developers of this program; BPMN_RELAY_LOG_LEVEL=debug shows them.
process.removeAllListeners('warning')
if (process.env.BPMN_RELAY_LOG_LEVEL === 'debug') process.on('warning', (warning) => console.error(warning))

// A reader such as `head` may hang up before everything is printed.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

// Not left to an empty event loop: a broker client that cannot be closed must not keep the program up.
process.exit(await runCli(process.argv.slice(2)))
