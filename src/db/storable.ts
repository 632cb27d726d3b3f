/** Postgres stores neither NUL in text nor half a surrogate pair: each becomes the replacement character. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}
