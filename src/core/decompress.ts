/** Room that decompression begins with, bytes. */
const ZSTD_ROOM_BYTES = 1024 * 1024

/** A frame as Java's lz4 library writes it. @throws when it is none */
export async function decompressLz4(data: Buffer): Promise<Buffer> {
  const { decompressFrame } = await import('lz4-napi')
  return await decompressFrame(data)
}

/** @throws when the data is not compressed by zstd */
export async function decompressZstd(data: Buffer): Promise<Buffer> {
  const { Zstd } = await import('@hpcc-js/wasm-zstd')
  const zstd = await Zstd.load()
  // Java writes no uncompressed size, so the room grows until what came out does not fill it.
  for (let room = Math.max(ZSTD_ROOM_BYTES, 8 * data.length); ; room *= 4) {
    zstd.reset()
    const result = zstd.decompressChunk(data, room)
    if (result.length < room) return Buffer.from(result)
  }
}
