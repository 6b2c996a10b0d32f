/**
 * What the hub tells a caller of one file: its commit, its length, and the digest that names its bytes. The answer is for
 * this caller alone; about a commit, which never changes, it holds for a while, about a branch it is asked anew, and when
 * the hub is away or refuses all, what it said before is what is known.
 */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { toDragonflyError } from '../../../core/errors.ts';
import { isTemporaryStatus } from '../../../core/net/origin-status.ts';
import type { Exchange } from '../exchange.ts';
import { forwardedResponseHeader } from '../wire/header.ts';
import { proxyLimits } from '../limits.ts';
import { flat, type AnswerHeader } from '../proof/answer-header.ts';
import { letGo } from '../proof/question.ts';
import type { Upstream } from '../wire/upstream.ts';
import { hubCaller } from './hub-address.ts';

export interface HubFile {
  /** At the commit: what the URL names never changes. */
  readonly url: URL;
  readonly lengthBytes: number;
  /** Lower-case hexadecimal digits; undefined for files kept in the repository itself, which are small. */
  readonly sha256: string | undefined;
  /** For answers made of stored bytes. */
  readonly header: AnswerHeader;
}

/** A file, or the hub's answer when it is none; its body is the receiver's. */
export type HubWord = { readonly file: HubFile } | { readonly refusal: IncomingMessage };

/** Only ever about the redirect, or about another way to the bytes. */
const leftOut = new Set(['location', 'content-length', 'content-type', 'link', 'vary', 'set-cookie', 'accept-ranges']);

/** Of the caller's request, what is about the body it wants. */
const aboutBody = new Set([
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
]);

export class HubFiles {
  readonly #upstream: Upstream;
  readonly #known: LRUCache<string, HubFile>;
  /** About commits, while the proof holds. */
  readonly #proven: LRUCache<string, true>;
  readonly #asking = new Map<string, Promise<HubWord>>();

  /** @param ttlMs how long the hub's word about a caller and a commit holds */
  constructor(upstream: Upstream, ttlMs: number) {
    this.#upstream = upstream;
    this.#known = new LRUCache({ max: proxyLimits.knownObjects });
    this.#proven = new LRUCache({ max: proxyLimits.proofs, ttl: Math.max(1, ttlMs) });
  }

  /** @param commit whether the URL names a commit. Errors: those of Upstream.send, when nothing is known. */
  async ask(exchange: Exchange, commit: boolean): Promise<HubWord> {
    const key = `${exchange.url.href}\n${hubCaller(exchange.header)}`;
    const file = this.#known.get(key);
    if (file && commit && this.#proven.has(key)) return { file };
    const running = this.#asking.get(key);
    if (running) {
      const word = await running.catch(() => undefined);
      if (word && 'file' in word) return word;
    }
    const asking = this.#ask(exchange, key).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #ask(exchange: Exchange, key: string): Promise<HubWord> {
    const known = this.#known.get(key);
    let place: { message: IncomingMessage; url: URL };
    try {
      place = await this.#head(exchange);
    } catch (error) {
      if (known && toDragonflyError(error).code !== 'CANCELLED') return { file: known };
      throw error;
    }
    const { message, url } = place;
    const { statusCode = 502 } = message;
    if (isTemporaryStatus(statusCode) && known) {
      letGo(message);
      return { file: known };
    }
    const file = fileOf(message, url);
    if (!file) return { refusal: message };
    letGo(message);
    this.#known.set(key, file);
    this.#proven.set(key, true);
    return { file };
  }

  /** Follows the hub's redirects inside itself, as renamed repositories have them; any other is the answer. */
  async #head(exchange: Exchange): Promise<{ message: IncomingMessage; url: URL }> {
    const { trust, loopbackAllowed, signal } = exchange;
    const kept = Object.entries(exchange.header).filter(([name]) => !aboutBody.has(name));
    const header = { ...Object.fromEntries(kept), 'accept-encoding': 'identity' };
    let { url } = exchange;
    for (let hops = 0; ; hops += 1) {
      const message = await this.#upstream.send({ method: 'HEAD', url, header, trust, loopbackAllowed, signal });
      const { location } = message.headers;
      const isRedirect = [301, 302, 303, 307, 308].includes(message.statusCode ?? 0) && location !== undefined;
      const next = isRedirect && URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      const isFile = message.headers['x-linked-etag'] !== undefined;
      if (isFile || next?.origin !== url.origin || hops === proxyLimits.redirects) return { message, url };
      letGo(message);
      url = next;
    }
  }
}

/** Undefined when the answer does not describe a file. */
function fileOf(message: IncomingMessage, url: URL): HubFile | undefined {
  const { statusCode = 502 } = message;
  const told = flat(forwardedResponseHeader(message));
  const commit = told['x-repo-commit'];
  const linked = statusCode >= 300 && statusCode < 400 && told['x-linked-etag'] !== undefined;
  if (commit === undefined || !/^[0-9a-f]{40}$/.test(commit) || !(statusCode === 200 || linked)) return undefined;
  const length = told['x-linked-size'] ?? (linked ? undefined : told['content-length']);
  const etag = told['x-linked-etag'] ?? told['etag'];
  if (length === undefined || !/^\d{1,15}$/.test(length) || etag === undefined) return undefined;
  const kept = Object.entries(told).filter(([name]) => !leftOut.has(name) && !name.startsWith('x-xet-'));
  return {
    url: new URL(url.href.replace(/\/resolve\/[^/?]+\//, `/resolve/${commit}/`)),
    lengthBytes: Number(length),
    sha256: /^"?([0-9a-f]{64})"?$/.exec(etag)?.[1],
    header: { ...Object.fromEntries(kept), etag },
  };
}
