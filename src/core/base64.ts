/** Bytes of base64 or base64url text; undefined when the text is neither, or was cut off within a byte. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return undefined
  return text.replace(/=+$/, '').length % 4 === 1 ? undefined : Buffer.from(text, 'base64')
}
