import { createReadStream } from 'node:fs'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { codeOf } from '../core/errors.js'
import { linesOf } from '../core/lines.js'
import { type LogFile, logFiles } from './file-log-files.js'

const LoggedFactsSchema = Type.Object({
  at: Type.String(),
  requestId: Type.String(),
  processInstanceKey: Type.Optional(Type.String()),
  processId: Type.Optional(Type.String()),
  processVersion: Type.Optional(Type.Integer()),
  elementId: Type.Optional(Type.String()),
  jobKey: Type.Optional(Type.String()),
  status: Type.String(),
  response: Type.Unknown(),
})

/** One call in the file log. */
export interface LoggedCall {
  file: string
  /** The line as it stands: JSON whose numbers keep their digits. */
  line: string
  facts: Static<typeof LoggedFactsSchema>
}

/** The newest calls with a request id that the files in a folder still hold, the oldest of them first. */
export async function loggedCalls(folder: string, requestId: string, limit: number): Promise<LoggedCall[]> {
  const needle = `"requestId":${JSON.stringify(requestId)}`
  const found: LoggedCall[] = []
  const seen = new Set<number>()
  for (let files = await unseen(folder, seen); files.length > 0; files = await unseen(folder, seen)) {
    for (const { path, inode } of files) {
      seen.add(inode)
      found.push(...(await callsIn(path, needle, requestId)))
      found.splice(0, found.length - limit)
    }
  }
  return found.sort((a, b) => (a.facts.at < b.facts.at ? -1 : 1))
}

/** A worker may begin another file while one is read. */
async function unseen(folder: string, seen: Set<number>): Promise<LogFile[]> {
  return (await logFiles(folder)).filter(({ inode }) => !seen.has(inode))
}

async function callsIn(file: string, needle: string, requestId: string): Promise<LoggedCall[]> {
  const calls: LoggedCall[] = []
  try {
    for await (const bytes of linesOf(createReadStream(file))) {
      if (!bytes.includes(needle)) continue
      const line = bytes.toString()
      const facts = factsOf(line)
      // A payload may hold these words too.
      if (facts?.requestId === requestId) calls.push({ file, line, facts })
    }
  } catch (error) {
    // Removed meanwhile, as the oldest one.
    if (codeOf(error) !== 'ENOENT') throw error
  }
  return calls
}

function factsOf(line: string): LoggedCall['facts'] | undefined {
  try {
    return Value.Parse(LoggedFactsSchema, JSON.parse(line))
  } catch {
    // Being written this moment, or told of lines that were dropped.
    return undefined
  }
}
