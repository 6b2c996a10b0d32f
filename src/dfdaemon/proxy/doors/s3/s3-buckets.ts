/**
 * The configured buckets and what is known of their objects. Opened before any port, because other nodes' downloads
 * need them.
 */
import { credentialFinder } from '../../../../core/credentials/own-credentials.ts';
import { DragonflyError, toDragonflyError } from '../../../../core/errors.ts';
import type { Logger } from '../../../../core/process/logger.ts';
import type { EgressRules } from '../../../source/egress-policy.ts';
import { TrustStore, type TrustOptions } from '../../../source/trust-store.ts';
import type { DownloadRequest } from '../../../task/open-task.ts';
import { Upstream } from '../../wire/upstream.ts';
import type { S3DoorConfig } from './s3-config.ts';
import type { ObjectNews } from '../../../cluster/object-news.ts';
import { S3Objects } from './s3-objects.ts';
import { objectIdentity, S3Store, type S3StoreParts } from './s3-store.ts';

export interface S3BucketsOptions {
  readonly config: S3DoorConfig;
  readonly egress: EgressRules;
  readonly trust: TrustOptions;
  /** Of other nodes' writes. */
  readonly news?: ObjectNews;
  readonly logger: Logger;
}

export class S3Buckets {
  readonly objects: S3Objects;
  /** Keyed by the name that clients use. */
  readonly stores: ReadonlyMap<string, S3Store>;
  readonly #upstream: Upstream;

  /** Throws CONFIG_INVALID. */
  constructor({ config, egress, trust, logger, news }: S3BucketsOptions) {
    this.objects = new S3Objects(news);
    this.#upstream = new Upstream(egress, new TrustStore(trust, logger));
    const own = credentialFinder({ env: process.env, proxies: egress.outbound });
    this.stores = storesOf(config, { upstream: this.#upstream, own });
  }

  [Symbol.dispose](): void {
    this.#upstream[Symbol.dispose]();
  }

  /**
   * Lends this node's key of the store to a download that a scheduler requests for others, if it began at the S3 door
   * of a node with the same key: only such a node can compute the identity. Rejects with PERMISSION_DENIED for any
   * other download that began at such a door, because without a key the request would go to a store that nobody meant.
   */
  async lend(request: DownloadRequest): Promise<DownloadRequest> {
    const { contentForCalculatingTaskId: identity, url, caller } = request;
    if (identity?.startsWith(objectIdentity) !== true) return request;
    const { protocol, host, pathname, searchParams } = new URL(url);
    const key = decodeURIComponent(pathname.slice(1));
    const versionId = searchParams.get('versionId') ?? undefined;
    for (const store of this.stores.values()) {
      if (`${store.config.scheme}:` !== protocol || store.name !== host) continue;
      const validator = await this.#validatorOf(store, { key, versionId }, identity);
      if (validator === undefined) continue;
      return {
        ...request,
        // The operator has named the store, so it may be on this machine.
        caller: caller.kind === 'local' ? caller : { ...caller, onThisMachine: true },
        ...(await store.downloadRight()),
        validator,
      };
    }
    throw new DragonflyError('PERMISSION_DENIED', `no bucket of doors.s3 here is that of ${url}, with the same key`, {
      hint: 'Give seed peers the same doors.s3.buckets as the nodes whose clients read them.',
    });
  }

  /** Undefined when the store now has another object than the identity names. */
  async #validatorOf(
    store: S3Store,
    { key, versionId }: { readonly key: string; readonly versionId: string | undefined },
    identity: string,
  ): Promise<string | undefined> {
    for (const again of [false, true]) {
      if (again) this.objects.forget(store, key);
      const word = await this.objects.ask(store, { key, versionId });
      if (word.kind !== 'object') return undefined;
      const { validator } = word.object;
      if (store.identityOf({ key, versionId, ...word.object }) === identity) return validator;
    }
    return undefined;
  }
}

function storesOf(config: S3DoorConfig, parts: S3StoreParts): ReadonlyMap<string, S3Store> {
  const stores = new Map<string, S3Store>();
  for (const bucket of config.enable ? config.buckets : []) {
    if (stores.has(bucket.name)) throw invalid(`doors.s3.buckets has "${bucket.name}" twice`);
    try {
      stores.set(bucket.name, new S3Store(bucket, parts));
    } catch (error) {
      throw invalid(`the bucket "${bucket.name}" of doors.s3: ${toDragonflyError(error).message}`, error);
    }
  }
  return stores;
}

function invalid(message: string, cause?: unknown): DragonflyError {
  return new DragonflyError('CONFIG_INVALID', message, { cause });
}
