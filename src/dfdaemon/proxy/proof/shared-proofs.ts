/**
 * What an origin told one node of the cluster, for the others who ask the same with the same credential: equal questions at a
 * time are put once, and an answer that counts for a while counts for all. A scheduler names who asks and hands the answer
 * around. Neither a credential nor a URL travels, only a digest of both; and nothing at all unless nodes and schedulers know
 * each other by certificates, since what is told opens content.
 *
 * A node that was broken into can tell anything. About what a digest names that is of no use: the bytes are compared with it,
 * and a member can fetch them anyway. What a tag or an object is, though, is believed of another node only where the operator
 * says that every member is trusted.
 */
import { createHmac, scrypt, type BinaryLike } from 'node:crypto';
import { promisify } from 'node:util';
import { LRUCache } from 'lru-cache';
import type { z } from 'zod';
import { toDragonflyError } from '../../../core/errors.ts';
import { proxyLimits } from '../limits.ts';
import { callerKey } from './caller.ts';

export interface ProofSharing {
  /** The host of the URL is this machine: on another machine the same URL names other content. */
  isOwn(url: string): Promise<boolean>;
  /**
   * Undefined: this node is to ask the origin, and to tell.
   * @param openKey of the same question without a credential; a seed that was a stranger may have told its answer
   */
  askProof(
    key: string,
    options: { readonly signal: AbortSignal; readonly turnMs: number; readonly openKey?: string | undefined },
  ): Promise<{ proof: Uint8Array; ttlMs: number; isOpen: boolean } | undefined>;
  /** What was told last, however long ago, and how long it still counts, if at all; nobody is to ask for it. */
  lastProof(key: string, signal: AbortSignal): Promise<{ proof: Uint8Array; ttlMs: number } | undefined>;
  tellOpenProof(key: string, proof: Uint8Array, ttlMs: number): Promise<void>;
  tellProof(
    key: string,
    told: { readonly proof?: Uint8Array | undefined; readonly ttlMs: number; readonly openKey?: string | undefined },
  ): Promise<void>;
}

/** Either this node's own answer, or that of another node. */
export type Answered<Own, Told> =
  | { readonly own: Own; readonly told?: undefined }
  | { readonly told: Told; readonly ttlMs: number; readonly isOpen: boolean };

export type ProofSharingScope = 'off' | 'digests' | 'all';

/** What is asked, by whom, and who is believed about it. */
export interface SharedSubject<Told> {
  /** A digest names what is asked about. */
  readonly byDigest: boolean;
  /** Members are believed about it without a digest, too, unless nothing is shared. */
  readonly believed?: boolean;
  /** All that tells it from other questions, but for the credential. */
  readonly parts: readonly string[];
  readonly url: URL;
  /** Of the request the answer is for. */
  readonly header: Readonly<Record<string, string>>;
  readonly schema: z.ZodType<Told>;
}

/** What a digest names, without a caller. */
type OpenSubject<Told> = Pick<SharedSubject<Told>, 'parts' | 'url' | 'schema'>;

export interface SharedQuestion<Own, Told> extends SharedSubject<Told> {
  /** How long others wait for whoever asks, where an origin is slow; by default a moment. */
  readonly turnMs?: number;
  /** What names the same question without a credential: what a seed was given as a stranger is everybody's. */
  readonly openParts?: readonly string[] | undefined;
  readonly ask: () => Promise<Own>;
  /** What of it holds for others, and for how long; undefined when nothing does. */
  readonly told: (own: Own) => { readonly value: Told; readonly ttlMs: number } | undefined;
}

export interface SharedProofsOptions {
  /** The same at all nodes, so that digests of two clusters differ. */
  readonly clusterKey: Buffer;
  readonly scope: ProofSharingScope;
}

const slowDigest = promisify<BinaryLike, BinaryLike, number, Buffer>(scrypt);

export class SharedProofs {
  readonly #sharing: ProofSharing | undefined;
  readonly #scope: ProofSharingScope;
  readonly #clusterKey: Buffer;
  /** Digests of passwords, by the caller's key. */
  readonly #passwords = new LRUCache<string, Promise<Buffer>>({ max: proxyLimits.challenges });
  #silentUntilMs = 0;

  /** @param sharing undefined: every node for itself. */
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

  /** Without having been asked for it; longer than what may be told is not. Never fails. */
  tell<Told>(subject: SharedSubject<Told>, { value, ttlMs }: { readonly value: Told; readonly ttlMs: number }): void {
    const proof = Buffer.from(JSON.stringify(value));
    if (proof.length > proxyLimits.sharedManifestBytes) return;
    void (async () => {
      const sharing = await this.#sharingOf(subject);
      if (!sharing) return;
      const key = await this.#keyOf(subject.parts, subject.header);
      const known = await this.#known(sharing, key, { turnMs: 0 }); // only whose turn it is may tell
      if (!known) await sharing.tellProof(key, { proof, ttlMs: Math.floor(ttlMs) });
    })().catch(() => this.#pause());
  }

  /** What was told last about it, however long ago: for when its origin cannot be asked. Undefined also when nothing is shared. */
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

  /** From a seed: what it was given without any credential. Never fails. */
  async tellOpen<Told>(subject: OpenSubject<Told>, { value, ttlMs }: { value: Told; ttlMs: number }): Promise<void> {
    try {
      const sharing = await this.#sharingOf({ byDigest: true, url: subject.url });
      const proof = Buffer.from(JSON.stringify(value));
      await sharing?.tellOpenProof(await this.#keyOf(subject.parts, {}), proof, Math.floor(ttlMs));
    } catch {
      this.#pause();
    }
  }

  /** Undefined: this node asks for itself. */
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

  /** A password may be guessed by whoever has a quick digest of it; what else tells callers apart is long and random. */
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
