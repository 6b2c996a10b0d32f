/**
 * Shares what an origin told one node with nodes that ask the same with the same credential: equal questions are put
 * once at a time, and an answer counts for all of them for a while. A scheduler picks the node that asks and passes its
 * answer on. Neither a credential nor a URL is transmitted, only a digest of both, and nothing at all unless nodes and
 * schedulers authenticate each other by certificates, since a shared answer grants access to content.
 *
 * A compromised node can share false answers. Where a digest names the content that gains nothing: the bytes are
 * verified against it, and a member can fetch them anyway. What a tag or an object currently is, however, is believed
 * of another node only where the operator says that every member is trusted.
 */
import { createHmac, scrypt, type BinaryLike } from 'node:crypto';
import { promisify } from 'node:util';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { toDragonflyError } from '../../../core/errors.ts';
import { proxyLimits } from '../limits.ts';
import { callerKey } from './caller.ts';
import type { SharedParts } from './shared-request.ts';

export interface ProofSharing {
  /** The host of the URL is this machine: elsewhere the same URL names other content. */
  isOwn(url: string): Promise<boolean>;
  /**
   * Undefined: this node is to ask the origin and share the answer. @param openKey of the same question without a
   * credential, which a seed that asked anonymously may have answered
   */
  askProof(
    key: string,
    options: { readonly signal: AbortSignal; readonly turnMs: number; readonly openKey?: string | undefined },
  ): Promise<{ proof: Uint8Array; ttlMs: number; isOpen: boolean } | undefined>;
  /** The last shared answer, however old, and how long it still counts; makes nobody ask. */
  lastProof(key: string, signal: AbortSignal): Promise<{ proof: Uint8Array; ttlMs: number } | undefined>;
  tellOpenProof(key: string, proof: Uint8Array, ttlMs: number): Promise<void>;
  tellProof(
    key: string,
    told: { readonly proof?: Uint8Array | undefined; readonly ttlMs: number; readonly openKey?: string | undefined },
  ): Promise<void>;
}

/** Either this node's own answer, or one shared by another node. */
export type Answered<Own, Told> =
  | { readonly own: Own; readonly told?: undefined }
  | { readonly told: Told; readonly ttlMs: number; readonly isOpen: boolean };

export type ProofSharingScope = 'off' | 'digests' | 'all';

/** The question: what it is about, for whom, and who is believed. */
export interface SharedSubject<Told> {
  /** The content is named by a digest. */
  readonly byDigest: boolean;
  /** Members are believed about it even without a digest. */
  readonly believed?: boolean;
  /** Everything but the credential that distinguishes the question from others. */
  readonly parts: SharedParts;
  readonly url: URL;
  /** Header of the request that is to be answered. */
  readonly header: Readonly<Record<string, string>>;
  readonly schema: z.ZodType<Told>;
}

/** The same question without a caller, about content named by a digest. */
type OpenSubject<Told> = Pick<SharedSubject<Told>, 'parts' | 'url' | 'schema'>;

export interface SharedQuestion<Own, Told> extends SharedSubject<Told> {
  /** How long others wait for the node that asks; longer where an origin is slow. */
  readonly turnMs?: number;
  /** Identifies the same question without a credential: what a seed got anonymously is open to everybody. */
  readonly openParts?: SharedParts | undefined;
  readonly ask: () => Promise<Own>;
  /** The part of the answer that holds for others, and for how long; undefined when none does. */
  readonly told: (own: Own) => { readonly value: Told; readonly ttlMs: number } | undefined;
}

export interface SharedProofsOptions {
  /** The same on all nodes of a cluster, so that digests of two clusters differ. */
  readonly clusterKey: Buffer;
  readonly scope: ProofSharingScope;
}

const slowDigest = promisify<BinaryLike, BinaryLike, number, Buffer>(scrypt);

export class SharedProofs {
  readonly #sharing: ProofSharing | undefined;
  readonly #scope: ProofSharingScope;
  readonly #clusterKey: Buffer;
  /** Digests of passwords, keyed by the caller. */
  readonly #passwords = new LRUCache<string, Promise<Buffer>>({ max: proxyLimits.challenges });
  #silentUntilMs = 0;

  /** @param sharing undefined when every node asks for itself. */
  constructor(sharing: ProofSharing | undefined, { clusterKey, scope }: SharedProofsOptions) {
    this.#sharing = sharing;
    this.#scope = scope;
    this.#clusterKey = clusterKey;
  }

  /** Rejects as `ask` does. When schedulers fail, this node asks for itself. */
  async once<Own, Told>({ ask, schema, told, ...question }: SharedQuestion<Own, Told>): Promise<Answered<Own, Told>> {
    const sharing = await this.#sharingOf(question);
    if (!sharing) return { own: await ask() };
    const key = await this.#keyOf(question.parts, question.header);
    const openKey = question.openParts && (await this.#keyOf(question.openParts, {}));
    const known = await this.#known(sharing, key, { turnMs: question.turnMs ?? 0, openKey });
    if (known) {
      const { proof, ttlMs, isOpen } = known;
      const value = parse(schema, proof);
      return value === undefined ? { own: await ask() } : { told: value, ttlMs, isOpen };
    }
    let result: ReturnType<typeof told>;
    try {
      const own = await ask();
      result = told(own);
      return { own };
    } finally {
      const proof = result && Buffer.from(JSON.stringify(result.value));
      sharing.tellProof(key, { proof, ttlMs: Math.floor(result?.ttlMs ?? 0), openKey }).catch(() => this.#pause());
    }
  }

  /** Shares an answer that nobody waits for, unless it is too long. Never fails. */
  tell<Told>(subject: SharedSubject<Told>, { value, ttlMs }: { readonly value: Told; readonly ttlMs: number }): void {
    const proof = Buffer.from(JSON.stringify(value));
    if (proof.length > proxyLimits.sharedManifestBytes) return;
    void (async () => {
      const sharing = await this.#sharingOf(subject);
      if (!sharing) return;
      const key = await this.#keyOf(subject.parts, subject.header);
      const known = await this.#known(sharing, key, { turnMs: 0 }); // only the node whose turn it is may share an answer
      if (!known) await sharing.tellProof(key, { proof, ttlMs: Math.floor(ttlMs) });
    })().catch(() => this.#pause());
  }

  /** The last shared answer, however old, for when the origin cannot be asked; undefined also when nothing is shared. */
  async last<Told>({ schema, ...subject }: SharedSubject<Told>): Promise<Told | undefined> {
    const sharing = await this.#sharingOf(subject);
    if (!sharing) return undefined;
    const key = await this.#keyOf(subject.parts, subject.header);
    try {
      const told = await sharing.lastProof(key, AbortSignal.timeout(proxyLimits.sharedProofMs));
      return told && parse(schema, told.proof);
    } catch {
      this.#pause();
      return undefined;
    }
  }

  /** Called on a seed: shares what it got without any credential. Never fails. */
  async tellOpen<Told>(subject: OpenSubject<Told>, { value, ttlMs }: { value: Told; ttlMs: number }): Promise<void> {
    try {
      const sharing = await this.#sharingOf({ byDigest: true, url: subject.url });
      const proof = Buffer.from(JSON.stringify(value));
      await sharing?.tellOpenProof(await this.#keyOf(subject.parts, {}), proof, Math.floor(ttlMs));
    } catch {
      this.#pause();
    }
  }

  /** Undefined when this node has to ask for itself. */
  async #sharingOf({
    byDigest,
    believed = false,
    url,
  }: Pick<SharedSubject<unknown>, 'byDigest' | 'believed' | 'url'>): Promise<ProofSharing | undefined> {
    const shares = this.#scope === 'all' || (this.#scope === 'digests' && (byDigest || believed));
    const sharing = shares && performance.now() >= this.#silentUntilMs ? this.#sharing : undefined;
    return sharing && !(await sharing.isOwn(url.href)) ? sharing : undefined;
  }

  async #known(
    sharing: ProofSharing,
    key: string,
    { turnMs, openKey }: { readonly turnMs: number; readonly openKey?: string | undefined },
  ): Promise<{ proof: Uint8Array; ttlMs: number; isOpen: boolean } | undefined> {
    try {
      const signal = AbortSignal.timeout(proxyLimits.sharedProofMs + turnMs);
      return await sharing.askProof(key, { signal, turnMs, openKey });
    } catch (error) {
      if (toDragonflyError(error).code !== 'CANCELLED') this.#pause();
      return undefined;
    }
  }

  #pause(): void {
    this.#silentUntilMs = performance.now() + proxyLimits.sharedProofPauseMs;
  }

  /** A fast digest of a password could be brute-forced; other credentials are long and random. */
  async #keyOf(parts: readonly string[], header: Readonly<Record<string, string>>): Promise<string> {
    const caller = callerKey(header);
    const credential = /^basic /i.test(header['authorization'] ?? '') ? await this.#ofPassword(caller) : caller;
    const key = createHmac('sha256', this.#clusterKey);
    for (const part of [...parts, credential]) key.update(`${part.length}\n`).update(part);
    return key.digest('hex');
  }

  #ofPassword(caller: string): Promise<Buffer> {
    const known = this.#passwords.get(caller) ?? slowDigest(caller, this.#clusterKey, 32);
    this.#passwords.set(caller, known);
    return known;
  }
}

function parse<T>(schema: z.ZodType<T>, proof: Uint8Array): T | undefined {
  try {
    return schema.safeParse(JSON.parse(Buffer.from(proof).toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
