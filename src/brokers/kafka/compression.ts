import { promisify } from 'node:util'
import { gunzip, gzip } from 'node:zlib'
import kafkajs from 'kafkajs'
import { decompressLz4, decompressZstd } from '../../core/decompress.js'
import { RelayError } from '../../core/errors.js'
import type { KafkaSettings } from './settings.js'

// CommonJS: Node.js sees these only on the default export.
const { CompressionCodecs, CompressionTypes: Types } = kafkajs

/** What kafkajs wants of a codec; it brings gzip itself. */
interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
  decompress(data: Buffer): Promise<Buffer>
}

/** Makes kafkajs read and write every compression of Kafka. The libraries are loaded when first needed. */
export function registerCodecs(): void {
  CompressionCodecs[Types.Snappy] = () => snappyCodec
  CompressionCodecs[Types.LZ4] = () => lz4Codec
  CompressionCodecs[Types.ZSTD] = () => zstdCodec
}

/** How the records of a batch are compressed. */
export interface Compress {
  /** What tells readers of the batch. */
  attribute: number
  compress(records: Buffer): Promise<Buffer>
}

/** Undefined: not at all. */
export function compressionOf(compression: KafkaSettings['compression']): Compress | undefined {
  switch (compression) {
    case 'none':
      return undefined
    case 'gzip':
      return { attribute: Types.GZIP, compress: promisify(gzip) }
    case 'snappy':
      return compressBy(Types.Snappy, snappyCodec)
    case 'lz4':
      return compressBy(Types.LZ4, lz4Codec)
    case 'zstd':
      return compressBy(Types.ZSTD, zstdCodec)
    default:
      return compression satisfies never
  }
}

/** The records of a batch as they were before they were compressed. @param attribute which the batch says */
export function decompressed(records: Buffer, attribute: number): Promise<Buffer> | Buffer {
  switch (attribute) {
    case Types.None:
      return records
    case Types.GZIP:
      return promisify(gunzip)(records)
    case Types.Snappy:
      return snappyCodec.decompress(records)
    case Types.LZ4:
      return lz4Codec.decompress(records)
    case Types.ZSTD:
      return zstdCodec.decompress(records)
    default:
      throw new RelayError('NOT_SUPPORTED', `Kafka has compression ${attribute}, which is not known here`)
  }
}

function compressBy(attribute: number, codec: Codec): Compress {
  return { attribute, compress: (buffer) => codec.compress({ buffer }) }
}

const snappyCodec: Codec = {
  // One plain block: Java, librdkafka and kafkajs read that as well as the framing of Java's snappy library.
  async compress({ buffer }) {
    const { compress } = await import('snappy')
    return await compress(buffer)
  },
  async decompress(data) {
    const { uncompress } = await import('snappy')
    const parts = await Promise.all(snappyBlocks(data).map((block) => uncompress(block, { asBuffer: true })))
    return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
  },
}

const JAVA_SNAPPY_MAGIC = Buffer.from('\x82SNAPPY\0', 'latin1')
/** The magic bytes and two versions of four bytes each. */
const JAVA_SNAPPY_HEADER_BYTES = 16

/** The blocks of data framed by Java's snappy library, each after its length; or the one block that is not framed. */
function snappyBlocks(data: Buffer): Buffer[] {
  if (!data.subarray(0, JAVA_SNAPPY_MAGIC.length).equals(JAVA_SNAPPY_MAGIC)) return [data]
  const blocks: Buffer[] = []
  for (let at = JAVA_SNAPPY_HEADER_BYTES; at < data.length; ) {
    const start = at + 4
    at = start + data.readUInt32BE(at)
    blocks.push(data.subarray(start, at))
  }
  return blocks
}

// Frames of independent blocks, the only ones Java's Kafka client takes.
const lz4Codec: Codec = {
  async compress({ buffer }) {
    const { compressFrame } = await import('lz4-napi')
    return await compressFrame(buffer)
  },
  decompress: decompressLz4,
}

const zstdCodec: Codec = {
  async compress({ buffer }) {
    const { Zstd } = await import('@hpcc-js/wasm-zstd')
    const zstd = await Zstd.load()
    return Buffer.from(zstd.compress(buffer))
  },
  decompress: decompressZstd,
}
