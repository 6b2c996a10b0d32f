/**
 * Whether the cluster's proxies name blobs of registries by digest or by URL. Each registration shows it, so a preheat
 * of an image can do as the last pull did.
 */
import { blobDigest } from '../../core/ids.ts';
import type { Download } from '../../../gen/common/v2/common.ts';

export class BlobNames {
  #byUrl: boolean | undefined;

  /** Undefined until somebody has pulled a blob. */
  get byUrl(): boolean | undefined {
    return this.#byUrl;
  }

  /** A peer that is not a seed has registered. */
  registered({ url, enableTaskIdBasedBlobDigest: byDigest }: Download): void {
    if (blobDigest(url) !== undefined) this.#byUrl = !byDigest;
  }
}
