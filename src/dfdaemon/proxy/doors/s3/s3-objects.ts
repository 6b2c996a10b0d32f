/**
 * What stores have said of their objects: callers that ask at the same time share one question, whose answer counts for
 * the bucket's `ttl`. While a store is unreachable, its last answer is used.
 */
import { LRUCache } from 'lru-cache';
import { parseContentRange, type ByteRange } from '../../../../core/byte-range.ts';
import { isTemporaryStatus } from '../../../../core/net/origin-status.ts';
import { flat, type AnswerHeader } from '../../proof/answer-header.ts';
import { letGo } from '../../proof/question.ts';
import { strongValidator } from '../../proof/representation.ts';
import { forwardedResponseHeader } from '../../wire/header.ts';
import { proxyLimits } from '../../limits.ts';
import type { ObjectNews } from '../../../cluster/object-news.ts';
import { digestOf } from './s3-digest.ts';
import type { S3Store } from './s3-store.ts';

export interface S3Object {
  /** Length of the whole object, even where a part was requested. */
  readonly lengthBytes: number;
  /** A strong one. */
  readonly validator: string;
  /** The digest that the store implies for the bytes; false once the bytes turned out not to have it. */
  readonly digest: string | false | undefined;
  /** The part that was requested by its number. */
  readonly part: ByteRange | undefined;
  /** The object's header without the fields that describe one message. */
  readonly header: AnswerHeader;
}

/** An object, the store's refusal, or an answer without a validator, whose parts cannot be combined. */
export type S3Word =
  | { readonly kind: 'object'; readonly object: S3Object }
  | { readonly kind: 'refusal'; readonly statusCode: number; readonly header: AnswerHeader }
  | { readonly kind: 'unsure' };

export interface ObjectQuestion {
  readonly key: string;
  readonly versionId?: string | undefined;
  readonly partNumber?: string | undefined;
}

interface Known {
  readonly object: S3Object;
  readonly untilMs: number;
}

interface Asked {
  readonly word: S3Word;
  /** Until it expires, this node is told when the answer no longer holds. */
  readonly remembered: boolean;
}

/** Objects of which this node is told when they change elsewhere. */
interface Watched {
  readonly store: S3Store;
  readonly key: string;
  partLength: number;
}

/** A store that could not be reached is not asked again for this long: waiting for a silent one would block every reader. */
const askAgainMs = 5_000;

const ofTheMessage = new Set([
  'content-length',
  'content-range',
  'accept-ranges',
  'date',
  'server',
  'x-amz-request-id',
  'x-amz-id-2',
  'set-cookie',
]);

export class S3Objects {
  readonly #news: ObjectNews | undefined;
  readonly #known = new LRUCache<string, Known>({ max: proxyLimits.knownObjects });
  readonly #asking = new Map<string, Promise<Asked>>();
  /** By the keys that nodes use to tell each other of changes. */
  readonly #watched = new LRUCache<string, Watched>({
    max: proxyLimits.knownObjects,
    dispose: ({ store, key }, object, reason) => {
      if (reason !== 'evict') return;
      this.forget(store, key);
      this.#news?.letGo(object);
    },
  });
  readonly #watchedBuckets = new Map<string, S3Store>();
  /** Objects whose bytes did not have the digest that the store implied. */
  readonly #broken = new LRUCache<string, true>({ max: proxyLimits.knownObjects });

  /** @param news undefined when nobody tells this node of changes. */
  constructor(news?: ObjectNews) {
    this.#news = news;
    news?.listen({ changed: (key) => this.#changedElsewhere(key), lost: () => this.#lost() });
  }

  /** Errors: those of Upstream.send, when nothing is known. */
  async ask(store: S3Store, question: ObjectQuestion): Promise<S3Word> {
    const name = nameOf(store, question);
    const known = this.#known.get(name);
    if (known && known.untilMs > performance.now()) return { kind: 'object', object: known.object };
    const running = this.#asking.get(name);
    if (running) return (await running).word;
    const asking = this.#askWatched(store, question, known?.object);
    this.#asking.set(name, asking);
    try {
      const { word, remembered } = await asking;
      // After a write that came in between, the answer counts only for those who asked before.
      if (this.#asking.get(name) === asking && word.kind === 'object' && remembered) {
        const forMs = word.object === known?.object ? askAgainMs : lifetimeMs(store, question);
        this.#known.set(name, { object: word.object, untilMs: performance.now() + forMs });
      }
      return word;
    } finally {
      if (this.#asking.get(name) === asking) this.#asking.delete(name);
    }
  }

  /** The object may have changed. @param key undefined for every object of the bucket. */
  forget(store: S3Store, key: string | undefined): void {
    const prefix = key === undefined ? `${store.config.name}\n` : objectName(store, key);
    for (const name of this.#known.keys()) if (name.startsWith(prefix)) this.#known.delete(name);
    for (const name of this.#asking.keys()) if (name.startsWith(prefix)) this.#asking.delete(name);
  }

  /**
   * A write by this node has ended. Resolves when no node relies on the previous object any more. Never throws. @param
   * partLength of the parts it was written in, 0 for any other
   */
  async changed(store: S3Store, key: string | undefined, partLength = 0): Promise<void> {
    this.forget(store, key);
    const keys = store.keysOf(key ?? '');
    const watched = this.#watched.get(keys.object);
    if (watched) watched.partLength = partLength;
    await this.#news?.changed(key === undefined ? { ...keys, object: keys.bucket } : keys, partLength);
    this.forget(store, key); // callers that asked meanwhile may have got the previous object
  }

  /** The bytes do not have the expected digest: from now on the object is read without one. */
  broken(store: S3Store, key: string, { validator }: S3Object): void {
    this.#broken.set(`${objectName(store, key)}${validator}`, true);
    this.forget(store, key);
  }

  #changedElsewhere(changed: string): void {
    const watched = this.#watched.get(changed);
    if (watched) this.forget(watched.store, watched.key);
    this.#watched.delete(changed);
    const bucket = this.#watchedBuckets.get(changed);
    if (bucket) this.forget(bucket, undefined);
    this.#watchedBuckets.delete(changed);
  }

  /** Answers stay known for when a store is unreachable, but no longer count. */
  #lost(): void {
    // Setting an entry moves it to the end of the iteration.
    for (const [name, { object }] of Array.from(this.#known.entries())) this.#known.set(name, { object, untilMs: 0 });
    this.#asking.clear();
    this.#watched.clear();
    this.#watchedBuckets.clear();
  }

  async #askWatched(store: S3Store, question: ObjectQuestion, known: S3Object | undefined): Promise<Asked> {
    const { key, versionId } = question;
    const watched = await this.#watch(store, key);
    const word = await this.#ask(store, question, known);
    if (word.kind !== 'object' || word.object === known) return { word, remembered: watched !== undefined };
    const digest = this.#broken.has(`${objectName(store, key)}${word.object.validator}`)
      ? false
      : digestOf(store, word.object, versionId === undefined ? (watched ?? 0) : 0); // this node is told of the newest version only
    return { word: { kind: 'object', object: { ...word.object, digest } }, remembered: watched !== undefined };
  }

  /** Undefined when the answer may not be relied on later; otherwise the length of its parts, 0 where unknown. */
  async #watch(store: S3Store, key: string): Promise<number | undefined> {
    if (this.#news?.isThere !== true) return 0; // without news each node relies on an answer for `ttl`
    const keys = store.keysOf(key);
    const before = this.#watchedBuckets.has(keys.bucket) ? this.#watched.get(keys.object) : undefined;
    if (before) return before.partLength;
    // Recorded first, because a change may be reported before the answer arrives.
    const watched: Watched = { store, key, partLength: 0 };
    this.#watched.set(keys.object, watched);
    this.#watchedBuckets.set(keys.bucket, store);
    try {
      watched.partLength = await this.#news.watch(keys);
      return watched.partLength;
    } catch {
      this.#watched.delete(keys.object);
      return undefined;
    }
  }

  /** The question is asked for all callers, so none of them ends it by leaving. */
  async #ask(store: S3Store, question: ObjectQuestion, known: S3Object | undefined): Promise<S3Word> {
    const { key, versionId, partNumber } = question;
    const query = new Map(Object.entries({ versionId, partNumber }).filter(isGiven));
    const header = { 'accept-encoding': 'identity', 'x-amz-checksum-mode': 'ENABLED' };
    const signal = AbortSignal.timeout(proxyLimits.probeTimeoutMs);
    let message;
    try {
      message = await store.send({ method: 'HEAD', key, query, header, signal });
    } catch (error) {
      if (known) return { kind: 'object', object: known };
      throw error;
    }
    letGo(message);
    const { statusCode = 502 } = message;
    const told = forwardedResponseHeader(message);
    if (isTemporaryStatus(statusCode) && known) return { kind: 'object', object: known };
    if (statusCode !== 200 && statusCode !== 206) {
      this.#known.delete(nameOf(store, question));
      return { kind: 'refusal', statusCode, header: told };
    }
    return objectOf(told, partNumber !== undefined);
  }
}

function isGiven(entry: [string, string | undefined]): entry is [string, string] {
  return entry[1] !== undefined;
}

function objectOf(header: AnswerHeader, ofPart: boolean): S3Word {
  const told = flat(header);
  const { 'content-length': length = '' } = told;
  const validator = strongValidator(told);
  const place = told['content-range'] === undefined ? undefined : parseContentRange(told['content-range']);
  const whole = ofPart ? place?.totalBytes : Number(length);
  if (validator === undefined || !/^\d{1,15}$/.test(length) || whole === undefined) return { kind: 'unsure' };
  const kept = Object.fromEntries(Object.entries(header).filter(([name]) => !ofTheMessage.has(name)));
  const object = { lengthBytes: whole, validator, digest: undefined, part: place?.range, header: kept };
  return { kind: 'object', object };
}

function lifetimeMs({ config }: S3Store, { key, versionId }: ObjectQuestion): number {
  const fixed = versionId !== undefined || config.immutable.some((prefix) => key.startsWith(prefix));
  return fixed ? Infinity : config.ttl;
}

function nameOf(store: S3Store, { key, versionId = '', partNumber = '' }: ObjectQuestion): string {
  return `${objectName(store, key)}${versionId}\n${partNumber}`;
}

/** Keys hold any character: their length tells them from what follows. */
function objectName(store: S3Store, key: string): string {
  return `${store.config.name}\n${key.length} ${key}\n`;
}
