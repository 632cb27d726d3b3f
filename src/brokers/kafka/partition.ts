/** The partition Java's default partitioner gives a key, so that producers of both worlds agree. */
export function partitionOfKey(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** MurmurHash2 with the seed of Kafka's Java client; signed 32 bits. */
function murmur2(data: Buffer): number {
  const m = 0x5bd1e995
  const whole = data.length & ~3
  let h = 0x9747b28c ^ data.length
  for (let i = 0; i < whole; i += 4) {
    let k = Math.imul(data.readInt32LE(i), m)
    k ^= k >>> 24
    h = Math.imul(h, m) ^ Math.imul(k, m)
  }
  if (data.length > whole) {
    for (let i = data.length - 1; i >= whole; i--) h ^= data.readUInt8(i) << ((i - whole) * 8)
    h = Math.imul(h, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}
