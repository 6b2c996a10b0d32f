/**
 * The hub's answers about a repository: revisions, trees and their pages. Nodes that ask the same share one question
 * for as long as an answer counts; when the hub refuses or is unreachable, its last answer is repeated. Nothing leads
 * around the door: links lead back here, and references to the chunks of large files (`xetHash`) are removed unless
 * this node serves chunks. What comes as a stream, and whatever is not about a repository, is each caller's own.
 */
import type { IncomingMessage } from 'node:http';
import { brotliDecompressSync, gunzipSync, gzipSync, inflateSync } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { answerError } from '../answers.ts';
import { forwardDirectly, relay, sendOwn } from '../wire/direct.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { forwardedResponseHeader, pairs } from '../wire/header.ts';
import { flat, type AnswerHeader } from '../proof/answer-header.ts';
import { aboutBody } from '../proof/shared-request.ts';
import { variantOf } from '../proof/variant.ts';
import type { Upstream } from '../wire/upstream.ts';
import { hubCaller, type HubAddress } from './hub-address.ts';
import { toldBytes, type HubQuestion, type HubWords } from './hub-words.ts';
import { linksOf } from '../../../core/net/link-header.ts';

interface Answer {
  readonly statusCode: number;
  readonly header: AnswerHeader;
  readonly body: Buffer;
  /** What the request said in the fields that the answer varies by. */
  readonly variant: string;
}

interface Known {
  readonly answer: Answer;
  readonly askedMs: number;
  readonly untilMs: number;
}

/** A page of a tree has at most 1,000 entries of some 300 bytes; listings of datasets are longer. */
const answerBytes = 16 * 2 ** 20;
const keptBytes = 64 * 2 ** 20;

/** The form in which other nodes get it; the body is compressed. */
const toldAnswer = z.object({
  header: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
  body: z.base64(),
});
type ToldAnswer = z.output<typeof toldAnswer>;

const namesCommit = /\/(?:tree|revision)\/[0-9a-f]{40}(?:[/?]|$)/;

/** Files of buckets have no other address than that of their chunks. */
const ofBuckets = /^\/(?:api\/)?buckets\//;
const listing = /^\/api\/|^\/(?:[^/]+\/){1,3}raw\//;

/** Fields of a caller's request that our own question on its behalf repeats. */
const aboutCaller = new Set(['authorization', 'cookie', 'user-agent', 'via']);

/** Fields that describe the message, not the body that is sent. */
const ofTheMessage = new Set([
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'etag',
  'content-md5',
  'digest',
]);

export interface HubAnswersOptions {
  readonly upstream: Upstream;
  readonly words: HubWords;
  /** This node stands for the chunk store, so clients are told of it. */
  readonly tellsOfXet?: boolean;
  /** Called with what the hub told a caller, whichever node asked. */
  readonly learn?: (call: ClientCall, body: Buffer) => void;
}

export class HubAnswers {
  readonly #hub: HubAddress;
  readonly #upstream: Upstream;
  readonly #words: HubWords;
  readonly #learn: (call: ClientCall, body: Buffer) => void;
  readonly #tellsOfXet: boolean;
  /** The last good answer to each caller. */
  readonly #known = new LRUCache<string, Known>({
    maxSize: keptBytes,
    sizeCalculation: ({ answer }) => answer.body.length + 1024,
  });
  readonly #asking = new Map<string, Promise<Answer>>();

  constructor(hub: HubAddress, { upstream, words, learn, tellsOfXet = false }: HubAnswersOptions) {
    this.#hub = hub;
    this.#upstream = upstream;
    this.#words = words;
    this.#tellsOfXet = tellsOfXet;
    this.#learn = learn ?? ((): void => undefined);
  }

  /** GET and HEAD. Answers in every case. */
  async answer(call: ClientCall): Promise<void> {
    if (!listing.test(this.#pathOf(call.url))) return this.pass(call);
    return this.#answer(call, () => this.#shared(call, call.request.method ?? 'GET'));
  }

  /** Any request, as it came; the answer is this caller's alone, and what it leads to leads through the door. */
  async pass(call: ClientCall): Promise<void> {
    const observe = (message: IncomingMessage): void => this.#leadThroughDoor(call, message);
    return forwardDirectly(call, this.#upstream, { observe });
  }

  /** As `pass`, for an answer that lists files. */
  async passListing(call: ClientCall): Promise<void> {
    return this.#answer(call, async () => received(await sendOwn(call, this.#upstream, { hasOther: false }), call));
  }

  async #answer(call: ClientCall, ask: () => Promise<Answer>): Promise<void> {
    const { record, response, kind } = call;
    record.way = 'direct';
    try {
      this.#send(call, await ask());
    } catch (error) {
      if (error instanceof StreamedError) {
        this.#leadThroughDoor(call, error.rest);
        return relay(call, error.rest);
      }
      record.error = toDragonflyError(error);
      answerError(response, record.error, { kind, type: 'proxy' });
    }
  }

  /** The hub's answer to this caller at another URL, as JSON; undefined when it is none. Errors: those of Upstream.send. */
  async read(call: ClientCall, url: URL): Promise<unknown> {
    const named = Object.entries(call.header).filter(([name]) => aboutCaller.has(name));
    const header = { ...Object.fromEntries(named), accept: '*/*' };
    try {
      const { statusCode, body } = await this.#shared({ ...call, url, header }, 'GET');
      return statusCode === 200 ? JSON.parse(body.toString('utf8')) : undefined;
    } catch (error) {
      if (error instanceof StreamedError) error.rest.destroy();
      if (error instanceof StreamedError || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  async #shared(call: ClientCall, method: string): Promise<Answer> {
    const { url, header, signal } = call;
    const key = [method, url.href, hubCaller(header), formOf(header)].join('\n');
    const known = this.#known.get(key);
    const isFor = (answer: Answer): boolean => variantOf(flat(answer.header)['vary'], header) === answer.variant;
    if (known && isFor(known.answer)) {
      if (this.#counts(known, call)) return known.answer;
      if (this.#words.isPaused) return this.#stale(call, known.answer);
    }
    for (let running = this.#asking.get(key); running; running = this.#asking.get(key)) {
      try {
        const answer = forOthers(await running);
        if (isFor(answer)) return answer;
      } catch (error) {
        // The caller that asked has left, or its answer cannot be shared: this one asks for itself.
        if (!(error instanceof StreamedError) && toDragonflyError(error).code !== 'CANCELLED') throw error;
        signal.throwIfAborted();
      }
    }
    const asking = this.#ask(call, { key, method }).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  #counts({ askedMs, untilMs }: Known, { header }: ClientCall): boolean {
    const anew = /no-cache|no-store|max-age=0/.test(header['cache-control'] ?? '');
    return !anew && performance.now() < untilMs && askedMs > this.#words.changedMs;
  }

  async #ask(call: ClientCall, { key, method }: { readonly key: string; readonly method: string }): Promise<Answer> {
    const { url, header } = call;
    const question: HubQuestion<ToldAnswer> = {
      parts: [method, formOf(header)],
      schema: toldAnswer,
      ttlMs: this.#words.ttlMs(namesCommit.test(url.pathname)),
    };
    const askedMs = performance.now();
    const last = async (): Promise<Answer | undefined> => {
      const known = this.#known.get(key)?.answer ?? answerFrom(await this.#words.last(call, question));
      const isFor = known && variantOf(flat(known.header)['vary'], header) === known.variant;
      return isFor ? this.#stale(call, known) : undefined;
    };
    let answer: Answer | undefined;
    let { ttlMs } = question;
    try {
      const answered = await this.#words.once(call, question, {
        ask: () => this.#put(call, method),
        told: toTell,
      });
      answer = answered.told ? answerFrom(answered.told) : answered.own;
      if (answered.told) ttlMs = answered.ttlMs;
      answer ??= await this.#put(call, method);
    } catch (error) {
      if (error instanceof StreamedError || !this.#words.failed(error)) throw error;
      const known = await last();
      if (known) return known;
      throw error;
    }
    if (this.#words.refusedAll(answer.statusCode, answer.header)) return (await last()) ?? answer;
    if (answer.statusCode === 200) {
      this.#known.set(key, { answer: forOthers(answer), askedMs, untilMs: performance.now() + ttlMs });
      this.#learn(call, answer.body);
    }
    return answer;
  }

  #stale(call: ClientCall, known: Answer): Answer {
    this.#learn(call, known.body);
    return { ...known, header: { ...known.header, warning: '111 - "the hub could not be asked"' } };
  }

  async #put(call: ClientCall, method: string): Promise<Answer> {
    const { url, trust, loopbackAllowed, signal, header: asked } = call;
    const kept = Object.entries(asked).filter(([name]) => !aboutBody.has(name));
    const header = { ...Object.fromEntries(kept), 'accept-encoding': 'identity' };
    return received(await this.#upstream.send({ method, url, header, trust, loopbackAllowed, signal }), call);
  }

  /** Below the hub's own. */
  #pathOf(url: URL): string {
    return `/${url.pathname.slice(this.#hub.base.pathname.length)}`;
  }

  #namesChunks({ url }: ClientCall): boolean {
    return this.#tellsOfXet || ofBuckets.test(this.#pathOf(url));
  }

  #send(call: ClientCall, { statusCode, header, body }: Answer): void {
    const { response, request, record } = call;
    if (response.destroyed) return;
    const told = { ...header };
    const { location, link } = flat(header);
    if (location !== undefined) told['location'] = this.#hub.throughDoor(location, '');
    if (link !== undefined) told['link'] = this.#linksThroughDoor(call, link);
    const sent = isJson(header) && !this.#namesChunks(call) ? withoutXet(body) : body;
    if (request.method !== 'HEAD') told['content-length'] = String(sent.length);
    response.writeHead(statusCode, told);
    noteFirstByte(record);
    record.bytes = sent.length;
    response.end(request.method === 'HEAD' ? undefined : sent);
  }

  /** The receiver has not read the message's header yet. */
  #leadThroughDoor(call: ClientCall, message: IncomingMessage): void {
    message.rawHeaders = [...pairs(message.rawHeaders)].flatMap(([name, value]) => {
      const lower = name.toLowerCase();
      if (lower === 'location') return [name, this.#hub.throughDoor(value, '')];
      return [name, lower === 'link' ? this.#linksThroughDoor(call, value) : value];
    });
  }

  /** Links to further pages lead through the door; links to chunks of files are removed. */
  #linksThroughDoor(call: ClientCall, link: string): string {
    const door = `http://${call.request.headers.host ?? ''}`;
    return linksOf(link)
      .filter(({ parameters }) => this.#namesChunks(call) || !/rel="?xet-/.test(parameters))
      .map(({ target, parameters }) => `<${this.#hub.throughDoor(target, door)}>${parameters}`)
      .join(', ');
  }
}

/** A hub answers browsers with pages where programs get data. */
function formOf({ accept = '' }: ClientCall['header']): string {
  return accept.includes('text/html') ? 'page' : 'data';
}

/** The answer is not kept; what was read is put back and the answer is streamed. */
class StreamedError extends Error {
  readonly rest: IncomingMessage;

  constructor(rest: IncomingMessage) {
    super('the answer of the hub is not one to be kept');
    this.rest = rest;
  }
}

/** Reads an answer whose end can be expected soon. Rejects with StreamedError for any other. */
async function received(message: IncomingMessage, { header: asked }: ClientCall): Promise<Answer> {
  const told = forwardedResponseHeader(message);
  const { 'content-length': lengthText, 'content-encoding': coding = 'identity', vary } = flat(told);
  const { statusCode = 502 } = message;
  const endless = statusCode === 200 && lengthText === undefined && !isJson(told);
  if (endless || Number(lengthText) > answerBytes || !decoders.has(coding)) throw new StreamedError(message);
  const blocks: Buffer[] = [];
  let length = 0;
  try {
    for await (const block of message.iterator({ destroyOnReturn: false })) {
      blocks.push(block as Buffer);
      length += (block as Buffer).length;
      if (length > answerBytes) break;
    }
  } catch (cause) {
    throw brokenOff(cause);
  }
  const sent = Buffer.concat(blocks, length);
  if (length > answerBytes) {
    message.unshift(sent);
    throw new StreamedError(message);
  }
  const kept = Object.entries(told).filter(([name]) => !ofTheMessage.has(name) && !name.startsWith('x-xet-'));
  const variant = variantOf(vary, asked);
  return { statusCode, header: Object.fromEntries(kept), body: decoded(sent, coding), variant };
}

type Decoder = (body: Buffer, options: { readonly maxOutputLength: number }) => Buffer;

/** Some hubs, and what stands before them, compress without being asked. */
const decoders: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['identity', (body) => body],
  ['gzip', gunzipSync],
  ['x-gzip', gunzipSync],
  ['deflate', inflateSync],
  ['br', brotliDecompressSync],
]);

/** An answer to HEAD has a coding and no body. */
function decoded(body: Buffer, coding: string): Buffer {
  try {
    return (body.length > 0 && decoders.get(coding)?.(body, { maxOutputLength: answerBytes })) || body;
  } catch (cause) {
    throw brokenOff(cause);
  }
}

function brokenOff(cause: unknown): DragonflyError {
  return new DragonflyError('SOURCE_UNREACHABLE', 'the hub broke off inside its answer', { cause, hint: 'Try again.' });
}

function isJson(header: AnswerHeader): boolean {
  return (flat(header)['content-type'] ?? '').startsWith('application/json');
}

/** Cookies are for the caller whose request was answered. */
function forOthers({ header, ...answer }: Answer): Answer {
  const { 'set-cookie': _, ...shared } = header;
  return { ...answer, header: shared };
}

/** Undefined for an answer that is private to one caller, or too long. */
function toTell({ statusCode, header, body, variant }: Answer): ToldAnswer | undefined {
  if (statusCode !== 200 || 'set-cookie' in header || variant !== '') return undefined;
  const text = gzipSync(body).toString('base64');
  return text.length > toldBytes ? undefined : { header: { ...header }, body: text };
}

function answerFrom(told: ToldAnswer | undefined): Answer | undefined {
  if (!told) return undefined;
  try {
    const body = gunzipSync(Buffer.from(told.body, 'base64'), { maxOutputLength: answerBytes });
    return { statusCode: 200, header: told.header, body, variant: '' };
  } catch {
    return undefined; // another node sent something that this node would not have sent
  }
}

/** Clients that know of chunks would go to the chunk store, around the door. */
function withoutXet(body: Buffer): Buffer {
  if (!body.includes('xetHash')) return body;
  try {
    const leaveOut = (name: string, value: unknown): unknown => (name === 'xetHash' ? undefined : value);
    return Buffer.from(JSON.stringify(JSON.parse(body.toString('utf8')), leaveOut));
  } catch {
    return body; // not what it says it is
  }
}
