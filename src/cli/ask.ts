import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'

/** Asks a person; refuses, as wrong usage, where there is none. Anything but yes is a no, and said so. */
export async function confirm(question: string, command: Command): Promise<boolean> {
  if (!process.stdin.isTTY) {
    command.error(`error: this must be confirmed and standard input is no terminal: add --yes`)
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr })
  const answer = await prompt.question(`${question} [y/N] `)
  prompt.close()
  if (/^y(es)?$/i.test(answer.trim())) return true
  console.error('Nothing was changed.')
  return false
}

/** Standard input without its last line break; on a terminal one line, which is not shown while it is typed. */
export async function readValue(name: string): Promise<string> {
  if (!process.stdin.isTTY) return (await text(process.stdin)).replace(/\r?\n$/, '')
  process.stderr.write(`Value of ${name} (not shown): `)
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
  const prompt = createInterface({ input: process.stdin, output: silent, terminal: true })
  const value = await prompt.question('')
  prompt.close()
  process.stderr.write('\n')
  return value
}
