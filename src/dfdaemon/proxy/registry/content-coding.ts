/** Decodes compressed bodies: registries and caches in front of them compress manifests for clients that accept it. Pure. */
import { brotliDecompressSync, gunzipSync, inflateSync, zstdDecompressSync } from 'node:zlib';
import { proxyLimits } from '../limits.ts';

type Decode = (body: Buffer, options: { readonly maxOutputLength: number }) => Buffer;

const decoders: Readonly<Record<string, Decode>> = {
  gzip: gunzipSync,
  'x-gzip': gunzipSync,
  deflate: inflateSync,
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
};

/** Undefined for an unknown encoding, a corrupt body, or content longer than a manifest may be. */
export function decoded(body: Buffer, contentEncoding: string): Buffer | undefined {
  const codings = contentEncoding
    .toLowerCase()
    .split(',')
    .map((coding) => coding.trim())
    .filter((coding) => coding !== '' && coding !== 'identity');
  try {
    return codings.reduceRight((content, coding) => {
      const decode = decoders[coding];
      if (!decode) throw new Error(`the coding ${coding} is not known`);
      return decode(content, { maxOutputLength: proxyLimits.manifestBytes });
    }, body);
  } catch {
    return undefined;
  }
}
