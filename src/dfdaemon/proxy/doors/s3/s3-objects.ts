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
import type { S3Store } from './s3-store.ts';

export interface S3Object {
  /** Of the whole object, also where a part was asked for. */
  readonly lengthBytes: number;
  /** A strong one. */
  readonly validator: string;
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
  readonly #known = new LRUCache<string, Known>({ max: proxyLimits.knownObjects });
  readonly #asking = new Map<string, Promise<S3Word>>();

  /** Errors: those of Upstream.send, when nothing is known. */
  async ask(store: S3Store, question: ObjectQuestion): Promise<S3Word> {
    const name = nameOf(store, question);
    const known = this.#known.get(name);
    if (known && known.untilMs > performance.now()) return { kind: 'object', object: known.object };
    const running = this.#asking.get(name);
    if (running) return running;
    const asking = this.#ask(store, question, known?.object);
    this.#asking.set(name, asking);
    try {
      const word = await asking;
      // A write that came between makes it an answer for those who asked before.
      if (this.#asking.get(name) === asking && word.kind === 'object') {
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
  return { kind: 'object', object: { lengthBytes: whole, validator, part: place?.range, header: kept } };
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
