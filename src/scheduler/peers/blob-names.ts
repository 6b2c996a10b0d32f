/**
 * How proxies of the cluster name blobs of registries: by digest, or by URL. Each registration says it, so whoever preheats an
 * image can do as the last pull did.
 */
import { blobDigest } from '../../core/ids.ts';
import type { Download } from '../../../gen/common/v2/common.ts';

export class BlobNames {
  #byUrl: boolean | undefined;

  /** Undefined while nobody has pulled a blob. */
  get byUrl(): boolean | undefined {
    return this.#byUrl;
  }

  /** A peer that is no seed has registered. */
  registered({ url, enableTaskIdBasedBlobDigest: byDigest }: Download): void {
    if (blobDigest(url) !== undefined) this.#byUrl = !byDigest;
  }
}
