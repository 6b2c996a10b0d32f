/**
 * What callers may load in chunks: tokens that stand for the hub's answer to one caller about one repository, and the
 * layouts of files that the chunk store returned for that caller. Nothing of one caller is ever given to another.
 */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { FileProof } from './file-proof.ts';
import { rangesOf, type FetchedRange, type Reconstruction, type XorbRange } from './reconstruction.ts';
import { nameOf } from './xorb-index.ts';

/** The right of a caller to the files of a repository. */
export interface XetRight {
  /** As the hub knows him. */
  readonly caller: string;
  /** Path of the repository at the hub. */
  readonly repository: string;
  /** Undefined when the hub could not be asked and its earlier answer is used. */
  readonly store: { readonly url: string; readonly token: string } | undefined;
}

/** The layout of a file that the chunk store returned for a caller. */
export class FileGrant {
  /** Unguessable: only a caller that was given the id can know it. */
  readonly id = randomBytes(18).toString('base64url');
  readonly reconstruction: Reconstruction;
  readonly proof: FileProof;
  readonly #ranges: ReadonlyMap<string, FetchedRange>;
  readonly #goodUntilMs: number;
  #isRefused = false;

  constructor(fileId: string, reconstruction: Reconstruction, ttlMs: number) {
    this.reconstruction = reconstruction;
    this.proof = new FileProof(fileId, reconstruction);
    this.#ranges = new Map(rangesOf(reconstruction).map((range) => [nameOf(range), range]));
    this.#goodUntilMs = performance.now() + ttlMs;
  }

  /** Its addresses may be given to callers that ask again. */
  get isFresh(): boolean {
    return !this.#isRefused && performance.now() < this.#goodUntilMs;
  }

  /** The store has to be asked again. */
  refuse(): void {
    this.#isRefused = true;
  }

  find(range: XorbRange): FetchedRange | undefined {
    return this.#ranges.get(nameOf(range));
  }
}

const maxRights = 10_000;
const maxFiles = 2_000;
/** Clients ask for a new address when one is refused; until then they keep using the old one. */
const grantMs = 6 * 60 * 60_000;

export class XetGrants {
  readonly #rights = new LRUCache<string, XetRight>({ max: maxRights, ttlAutopurge: false });
  readonly #files = new LRUCache<string, FileGrant>({ max: maxFiles });
  readonly #byId = new LRUCache<string, FileGrant>({ max: maxFiles, ttl: grantMs });

  /** Returns a token for it. */
  issue(right: XetRight, ttlMs: number): string {
    const token = randomBytes(32).toString('base64url');
    this.#rights.set(token, right, { ttl: Math.max(1, ttlMs) });
    return token;
  }

  /** @param authorization header as it arrived */
  right(authorization: string | undefined): XetRight | undefined {
    const token = /^Bearer (\S+)$/i.exec(authorization ?? '')?.[1];
    return token === undefined ? undefined : this.#rights.get(token);
  }

  /** The last layout given to this caller. */
  file(right: XetRight, fileId: string): FileGrant | undefined {
    return this.#files.get(keyOf(right, fileId));
  }

  remember(right: XetRight, fileId: string, grant: FileGrant): void {
    this.#files.set(keyOf(right, fileId), grant);
    this.#byId.set(grant.id, grant);
  }

  byId(id: string): FileGrant | undefined {
    return this.#byId.get(id);
  }
}

export function keyOf({ caller, repository }: XetRight, fileId: string): string {
  return [caller, repository, fileId].join('\n');
}
