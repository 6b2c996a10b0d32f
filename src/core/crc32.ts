/**
 * CRC-32 (IEEE 802.3), continued from an earlier value. The prebuilt library is five times as fast as node:zlib (21
 * against 4 GiB/s where it was measured), which is used on platforms without a build of it.
 */
import { createRequire } from 'node:module';
import { crc32 as portable } from 'node:zlib';
import type * as Prebuilt from '@node-rs/crc32';

type Crc32 = (bytes: Uint8Array, value?: number) => number;

function load(): Crc32 {
  try {
    return (createRequire(import.meta.url)('@node-rs/crc32') as typeof Prebuilt).crc32;
  } catch {
    return portable;
  }
}

let loaded: Crc32 | undefined;

/** The library is loaded on first use, so that programs without checksums start without it. */
export function crc32(bytes: Uint8Array, value?: number): number {
  loaded ??= load();
  return loaded(bytes, value);
}
