/** Bytes of base64 or base64url text; undefined when the text is neither. */
export function decodeBase64(text: string): Buffer | undefined {
  return /^[A-Za-z0-9+/_-]*={0,2}$/.test(text) ? Buffer.from(text, 'base64') : undefined
}
