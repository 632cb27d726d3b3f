import { secretPathsOf } from './resolve-adapter.js'
import { mapStrings } from './resolve-env.js'

/** Shown in place of what is secret. */
export const SECRET = '(secret)'

/** Settings as people may see them: secrets hidden, references to variables not. */
export function publicSettings(settings: Record<string, unknown>, schema: unknown): unknown {
  const secretPaths = secretPathsOf(schema)
  return mapStrings(settings, (text, path) =>
    secretPaths.has(path) && !/^@env\([^)]*\)$/.test(text) ? SECRET : text,
  )
}
