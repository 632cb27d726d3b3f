import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { RelayError } from '../core/errors.js'

const PREFIX = 'sealed:v1:'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts what must not be readable in Postgres, with AES-256-GCM. `purpose` (e.g. `env:DB_PASSWORD`) is
 * authenticated too, so that a sealed text moved to another row does not open.
 */
export interface Secrets {
  /** @throws RelayError MASTER_KEY_MISSING */
  seal(plain: string, purpose: string): string
  /** @throws RelayError MASTER_KEY_MISSING, also when the key is not the one the text was sealed with. */
  open(sealed: string, purpose: string): string
}

export function isSealed(text: string): boolean {
  return text.startsWith(PREFIX)
}

/** @param key gives the 32-byte master key; asked for at the first secret only. */
export function createSecrets(key: () => Buffer): Secrets {
  let known: Buffer | undefined
  const masterKey = (): Buffer => {
    known ??= key()
    return known
  }
  return {
    seal(plain, purpose) {
      const iv = randomBytes(IV_BYTES)
      const cipher = createCipheriv('aes-256-gcm', masterKey(), iv).setAAD(Buffer.from(purpose))
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()])
      return PREFIX + Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')
    },
    open(sealed, purpose) {
      const key = masterKey()
      const bytes = Buffer.from(sealed.slice(PREFIX.length), 'base64')
      try {
        const iv = bytes.subarray(0, IV_BYTES)
        const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES })
        decipher.setAAD(Buffer.from(purpose))
        decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES))
        return (
          decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
        )
      } catch (cause) {
        throw new RelayError(
          'MASTER_KEY_MISSING',
          `the secret ${purpose} was sealed with another master key or is damaged: set BPMN_RELAY_MASTER_KEY to that key, or set the secret again`,
          { cause },
        )
      }
    },
  }
}

/**
 * The master key: from the configuration, or, with the embedded database only, from a file beside it that is made
 * at first use. A shared database gets no such file: workers on other machines could not read its secrets.
 */
export function masterKeyFrom(options: {
  configured: string | undefined
  keyFile: string | undefined
}): Buffer {
  const { configured, keyFile } = options
  if (configured !== undefined) {
    const key = Buffer.from(configured, 'base64')
    if (key.length === KEY_BYTES) return key
    throw new RelayError(
      'MASTER_KEY_MISSING',
      `BPMN_RELAY_MASTER_KEY holds ${key.length} bytes: it must be ${KEY_BYTES} bytes as base64, e.g. from \`openssl rand -base64 32\``,
    )
  }
  if (keyFile === undefined) {
    throw new RelayError(
      'MASTER_KEY_MISSING',
      'secrets need a master key: set BPMN_RELAY_MASTER_KEY, e.g. to the output of `openssl rand -base64 32`, the same for every worker',
    )
  }
  if (!existsSync(keyFile)) makeKeyFile(keyFile)
  return masterKeyFrom({ configured: readFileSync(keyFile, 'utf8').trim(), keyFile: undefined })
}

/** Of processes that do this at the same moment one makes the file, whole at once, and the others find it. */
function makeKeyFile(keyFile: string): void {
  mkdirSync(path.dirname(keyFile), { recursive: true })
  const unfinished = `${keyFile}.${process.pid}`
  writeFileSync(unfinished, randomBytes(KEY_BYTES).toString('base64'), { mode: 0o600 })
  try {
    linkSync(unfinished, keyFile)
  } catch (error) {
    if (!existsSync(keyFile)) throw error
  } finally {
    rmSync(unfinished)
  }
}
