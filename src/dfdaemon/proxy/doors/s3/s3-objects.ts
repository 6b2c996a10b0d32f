/**
 * What stores have told of their objects: one question for all who ask at the same time, and for as long as the bucket's
 * `ttl` says. While a store cannot be asked, what it said before is what is known.
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
  /** Of the whole object, also where a part was asked for. */
  readonly lengthBytes: number;
  /** A strong one. */
  readonly validator: string;
  /** What its bytes must have, where the store's own word says so; false where it turned out that they have not. */
  readonly digest: string | false | undefined;
  /** The part that was asked for by its number. */
  readonly part: ByteRange | undefined;
  /** Without what describes one message. */
  readonly header: AnswerHeader;
}

/** An object, what the store says instead, or nothing from which parts of it could be told to belong together. */
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
  /** Until when it counts this node will be told when it does not any more. */
  readonly remembered: boolean;
}

/** Of which this node is told when it changes elsewhere. */
interface Watched {
  readonly store: S3Store;
  readonly key: string;
  partLength: number;
}

/** A store that could not be asked is left alone for so long: one that is silent would keep every reader waiting. */
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
  /** By the keys nodes tell each other. */
  readonly #watched = new LRUCache<string, Watched>({
    max: proxyLimits.knownObjects,
    dispose: ({ store, key }, object, reason) => {
      if (reason !== 'evict') return;
      this.forget(store, key);
      this.#news?.letGo(object);
    },
  });
  readonly #watchedBuckets = new Map<string, S3Store>();
  /** What was fetched did not have the digest that the store's word promised. */
  readonly #broken = new LRUCache<string, true>({ max: proxyLimits.knownObjects });

  /** @param news undefined: nobody tells this node of changes. */
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
      // A write that came between makes it an answer for those who asked before.
      if (this.#asking.get(name) === asking && word.kind === 'object' && remembered) {
        const forMs = word.object === known?.object ? askAgainMs : lifetimeMs(store, question);
        this.#known.set(name, { object: word.object, untilMs: performance.now() + forMs });
      }
      return word;
    } finally {
      if (this.#asking.get(name) === asking) this.#asking.delete(name);
    }
  }

  /** It may be another one now. @param key undefined: any of the bucket. */
  forget(store: S3Store, key: string | undefined): void {
    const prefix = key === undefined ? `${store.config.name}\n` : objectName(store, key);
    for (const name of this.#known.keys()) if (name.startsWith(prefix)) this.#known.delete(name);
    for (const name of this.#asking.keys()) if (name.startsWith(prefix)) this.#asking.delete(name);
  }

  /**
   * A write of this node has come to its end. Resolves when no node relies on what the object was. Never throws.
   * @param partLength of the parts it was written in, 0 for any other
   */
  async changed(store: S3Store, key: string | undefined, partLength = 0): Promise<void> {
    this.forget(store, key);
    const keys = store.keysOf(key ?? '');
    const watched = this.#watched.get(keys.object);
    if (watched) watched.partLength = partLength;
    await this.#news?.changed(key === undefined ? { ...keys, object: keys.bucket } : keys, partLength);
    this.forget(store, key); // who has asked meanwhile may have heard of the one before
  }

  /** Its bytes do not have the digest it should have: from now on it is read without one. */
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

  /** What it was counts on for when a store cannot be asked. */
  #lost(): void {
    // Setting one moves it to the end of what is gone through.
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
      : digestOf(store, word.object, versionId === undefined ? (watched ?? 0) : 0); // told of the newest version
    return { word: { kind: 'object', object: { ...word.object, digest } }, remembered: watched !== undefined };
  }

  /** Undefined: nothing is to be relied on for longer than now. Otherwise the length of its parts, 0 where that is not known. */
  async #watch(store: S3Store, key: string): Promise<number | undefined> {
    if (this.#news?.isThere !== true) return 0; // each node by itself, for as long as `ttl` says
    const keys = store.keysOf(key);
    const before = this.#watchedBuckets.has(keys.bucket) ? this.#watched.get(keys.object) : undefined;
    if (before) return before.partLength;
    // Noted first: a change may be told before the answer is here.
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

  /** Asked for all: no single client's leaving ends it. */
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
