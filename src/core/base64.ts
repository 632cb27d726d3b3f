import { isUtf8 } from 'node:buffer'

/** Bytes of base64 or base64url text; undefined when the text is neither, or was cut off within a byte. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return undefined
  return text.replace(/=+$/, '').length % 4 === 1 ? undefined : Buffer.from(text, 'base64')
}

/** Text where the bytes are UTF-8, else as tasks give bytes. */
export function textOrBase64(bytes: Buffer): string | { base64: string } {
  return isUtf8(bytes) ? bytes.toString() : { base64: bytes.toString('base64') }
}
