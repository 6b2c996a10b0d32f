/**
 * What the hub tells a caller of one file: its commit, its length, and the digest that names its bytes. The answer
 * counts only for callers with the same credential, on all nodes, and for a limited time; when the hub is unreachable
 * or refuses everybody, its last answer is used.
 */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { redirectTarget } from '../../../core/net/redirect-target.ts';
import type { ClientCall } from '../client-call.ts';
import { forwardedResponseHeader } from '../wire/header.ts';
import { proxyLimits } from '../limits.ts';
import { flat, type AnswerHeader } from '../proof/answer-header.ts';
import { aboutBody } from '../proof/shared-request.ts';
import { letGo } from '../proof/question.ts';
import type { Upstream } from '../wire/upstream.ts';
import { hubCaller } from './hub-address.ts';
import type { HubQuestion, HubWords } from './hub-words.ts';

export interface HubFile {
  /** The file's URL at its commit, whose content never changes. */
  readonly url: URL;
  readonly lengthBytes: number;
  /** Lower-case hexadecimal digits; undefined for files kept in the repository itself, which are small. */
  readonly sha256: string | undefined;
  /** The name of the file in the hub's chunk store; undefined where the hub names none. */
  readonly xetHash: string | undefined;
  /** Git's object id of a file that is kept in the repository itself; undefined for others. */
  readonly blobId: string | undefined;
  /** Header of answers that consist of stored bytes. */
  readonly header: AnswerHeader;
}

/** The form in which other nodes get it; the rest follows from it. */
const toldFile = z.object({
  url: z.url(),
  lengthBytes: z.int().nonnegative(),
  header: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
});
type ToldFile = z.output<typeof toldFile>;

/** A file, or the hub's answer when it is not one; the receiver reads or destroys its body. */
export type HubWord = { readonly file: HubFile } | { readonly refusal: IncomingMessage };

/** Fields of the hub's answer that describe its redirect, not the file. */
const leftOut = new Set(['location', 'content-length', 'content-type', 'link', 'vary', 'set-cookie', 'accept-ranges']);

export const xetField = 'x-xet-hash';

export class HubFiles {
  readonly #words: HubWords;
  readonly #put: (call: ClientCall) => Promise<HubWord>;
  readonly #known = new LRUCache<string, HubFile>({ max: proxyLimits.knownObjects });
  /** When each answer that still counts was given. */
  readonly #proven = new LRUCache<string, number>({ max: proxyLimits.proofs });
  readonly #asking = new Map<string, Promise<HubWord>>();

  /** @param put asks the hub about the file of this request; rejects as Upstream.send does */
  constructor({ words, put }: { readonly words: HubWords; readonly put: (call: ClientCall) => Promise<HubWord> }) {
    this.#words = words;
    this.#put = put;
  }

  /** @param commit whether the URL names a commit. Errors: those of Upstream.send, when nothing is known. */
  async ask(call: ClientCall, commit: boolean): Promise<HubWord> {
    const key = `${call.url.href}\n${hubCaller(call.header)}`;
    const file = this.#known.get(key);
    const askedMs = this.#proven.get(key) ?? Number.NEGATIVE_INFINITY;
    if (file && (this.#words.isPaused || (askedMs > 0 && (commit || askedMs > this.#words.changedMs)))) return { file };
    const running = this.#asking.get(key);
    if (running) {
      const word = await running.catch(() => undefined);
      if (word && 'file' in word) return word;
    }
    const asking = this.#ask(call, key, commit).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #ask(call: ClientCall, key: string, commit: boolean): Promise<HubWord> {
    const question: HubQuestion<ToldFile> = { parts: ['file'], schema: toldFile, ttlMs: this.#words.ttlMs(commit) };
    const last = async (): Promise<HubFile | undefined> =>
      this.#known.get(key) ?? fileFrom(await this.#words.last(call, question));
    const askedMs = performance.now();
    let word: HubWord;
    let { ttlMs } = question;
    try {
      const answered = await this.#words.once(call, question, { ask: () => this.#put(call), told: toTell });
      if (answered.told) {
        const file = fileFrom(answered.told);
        word = file ? { file } : await this.#put(call);
        ttlMs = answered.ttlMs;
      } else word = answered.own;
    } catch (error) {
      const file = this.#words.failed(error) ? await last() : undefined;
      if (file) return { file };
      throw error;
    }
    if ('refusal' in word) {
      const { refusal } = word;
      const inVain = this.#words.refusedAll(refusal.statusCode ?? 502, forwardedResponseHeader(refusal));
      const file = inVain ? await last() : undefined;
      if (!file) return word;
      letGo(refusal);
      return { file };
    }
    this.#known.set(key, word.file);
    this.#proven.set(key, askedMs, { ttl: Math.max(1, ttlMs) });
    return word;
  }
}

/** How a hub of Hugging Face is asked: by HEAD, whose redirect to a store describes the file. */
export async function askByHead(upstream: Upstream, call: ClientCall): Promise<HubWord> {
  const { message, url } = await describedBy(upstream, call);
  const file = fileOf(message, url);
  if (!file) return { refusal: message };
  letGo(message);
  return { file };
}

/** Follows redirects within the hub, as renamed repositories have them; any other redirect is the answer. */
async function describedBy(upstream: Upstream, call: ClientCall): Promise<{ message: IncomingMessage; url: URL }> {
  const { trust, loopbackAllowed, signal } = call;
  const kept = Object.entries(call.header).filter(([name]) => !aboutBody.has(name));
  const header = { ...Object.fromEntries(kept), 'accept-encoding': 'identity' };
  let { url } = call;
  for (let hops = 0; ; hops += 1) {
    const message = await upstream.send({ method: 'HEAD', url, header, trust, loopbackAllowed, signal });
    const { location } = message.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(message.statusCode ?? 0) && location !== undefined;
    const next = isRedirect ? redirectTarget(location, url) : undefined;
    const isFile = message.headers['x-linked-etag'] !== undefined;
    if (isFile || next?.origin !== url.origin || hops === proxyLimits.redirects) return { message, url };
    letGo(message);
    url = next;
  }
}

/** Names of references may be written with their slashes. */
const revisionInPath = /\/resolve\/(?:refs\/(?:pr|convert|heads|tags)\/)?[^/?]+\//;

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
  const kept = Object.entries(told).filter(
    ([name]) => !leftOut.has(name) && (!name.startsWith('x-xet-') || name === xetField),
  );
  return fileFrom({
    url: url.href.replace(revisionInPath, `/resolve/${commit}/`),
    lengthBytes: Number(length),
    header: { ...Object.fromEntries(kept), etag },
  });
}

/** A file is named by the digest in its header. */
export function fileFrom(told: ToldFile | undefined): HubFile | undefined {
  if (!told) return undefined;
  const { [xetField]: xetHash, ...header } = told.header;
  const { etag = '' } = flat(header);
  return {
    ...told,
    header,
    xetHash: typeof xetHash === 'string' && /^[0-9a-f]{64}$/.test(xetHash) ? xetHash : undefined,
    url: new URL(told.url),
    sha256: /^"?([0-9a-f]{64})"?$/.exec(etag)?.[1],
    blobId: /^"?([0-9a-f]{40})"?$/.exec(etag)?.[1],
  };
}

/** Undefined for an answer that is not a file: a refusal is private to its caller. */
function toTell(word: HubWord): ToldFile | undefined {
  if (!('file' in word)) return undefined;
  const { url, lengthBytes, header, xetHash } = word.file;
  return { url: url.href, lengthBytes, header: { ...header, ...(xetHash !== undefined && { [xetField]: xetHash }) } };
}
