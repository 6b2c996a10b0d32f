/** Lengths of small blobs according to manifests, so that a probe of a blob asks for bytes that exist. */
import { LRUCache } from 'lru-cache';
import { proxyLimits } from '../limits.ts';
import { isDigest } from './registry-path.ts';

export class BlobSizes {
  readonly #sizes = new LRUCache<string, number>({ max: proxyLimits.knownObjects });

  /** @param manifest of an image, or an index; anything else is ignored. */
  note(manifest: Buffer): void {
    let parsed: unknown;
    try {
      parsed = JSON.parse(manifest.toString('utf8'));
    } catch {
      return;
    }
    const { config, layers, blobs } = (parsed ?? {}) as Record<string, unknown>;
    for (const descriptor of [config, layers, blobs].flat()) {
      const { digest, size } = (descriptor ?? {}) as Record<string, unknown>;
      const isSmall = typeof size === 'number' && size > 0 && size < proxyLimits.nearBytes;
      if (isSmall && typeof digest === 'string' && isDigest(digest)) this.#sizes.set(digest, size);
    }
  }

  /** Undefined for a large or unknown blob. */
  of(digest: string): number | undefined {
    return this.#sizes.get(digest);
  }
}
