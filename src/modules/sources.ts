import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { messageOf, RelayError } from '../core/errors.js'
import type { Source } from './documents.js'

/**
 * The text of files, of the YAML files of folders (by name, not of folders in them) and, for `-`, of standard input.
 * @throws RelayError MODULE_INVALID for what cannot be read
 */
export async function readSources(files: readonly string[]): Promise<Source[]> {
  const sources: Source[] = []
  for (const file of files) {
    if (file === '-') {
      sources.push({ file: 'standard input', text: await text(process.stdin), folder: process.cwd() })
      continue
    }
    for (const each of await filesIn(file)) {
      const content = await reading(each, () => readFile(each, 'utf8'))
      sources.push({ file: each, text: content, folder: path.dirname(each) })
    }
  }
  return sources
}

async function filesIn(file: string): Promise<string[]> {
  const isFolder = await reading(file, async () => (await stat(file)).isDirectory())
  if (!isFolder) return [file]
  const names = (await readdir(file)).filter((name) => /\.ya?ml$/.test(name)).sort()
  if (names.length > 0) return names.map((name) => path.join(file, name))
  throw new RelayError('MODULE_INVALID', `folder ${file} has no file *.yaml or *.yml: name another one`)
}

async function reading<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    throw new RelayError('MODULE_INVALID', `${file} cannot be read: ${messageOf(cause)}`, { cause })
  }
}
