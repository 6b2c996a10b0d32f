/**
 * What the hub says of a repository: revisions, trees, pages of them. One question for all who ask the same at the same
 * time; when the hub refuses or is away, what it told this caller before. Nothing leads around the door: the way to
 * chunks of large files (`xetHash`) is taken out, and links lead back here.
 */
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { isTemporaryStatus } from '../../../core/net/origin-status.ts';
import { answerError } from '../answers.ts';
import { relay } from '../wire/direct.ts';
import { noteFirstByte, type Exchange } from '../exchange.ts';
import { forwardedResponseHeader } from '../wire/header.ts';
import { flat, type AnswerHeader } from '../proof/answer-header.ts';
import type { Upstream } from '../wire/upstream.ts';
import { hubCaller, type HubAddress } from './hub-address.ts';

interface Answer {
  readonly statusCode: number;
  readonly header: AnswerHeader;
  readonly body: Buffer;
}

/** A page of a tree has at most 1,000 entries of some 300 bytes; listings of datasets are longer. */
const answerBytes = 16 * 2 ** 20;
const keptBytes = 64 * 2 ** 20;

/** Not of the body that is sent. */
const ofTheMessage = new Set([
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'etag',
  'content-md5',
  'digest',
]);

export class HubAnswers {
  readonly #hub: HubAddress;
  readonly #upstream: Upstream;
  /** The last good answer to each caller. */
  readonly #known = new LRUCache<string, Answer>({
    maxSize: keptBytes,
    sizeCalculation: ({ body }) => body.length + 1024,
  });
  readonly #asking = new Map<string, Promise<Answer>>();

  constructor(hub: HubAddress, upstream: Upstream) {
    this.#hub = hub;
    this.#upstream = upstream;
  }

  /** GET and HEAD. Answers in every case. */
  async answer(exchange: Exchange): Promise<void> {
    const { record, response, kind } = exchange;
    record.way = 'direct';
    try {
      this.#send(exchange, await this.#shared(exchange));
    } catch (error) {
      if (error instanceof TooLongError) return relay(exchange, error.rest);
      record.error = toDragonflyError(error);
      answerError(response, record.error, { kind, type: 'proxy' });
    }
  }

  async #shared(exchange: Exchange): Promise<Answer> {
    const { url, header, request, signal } = exchange;
    const key = [request.method, url.href, hubCaller(header), header['accept'] ?? ''].join('\n');
    for (let running = this.#asking.get(key); running; running = this.#asking.get(key)) {
      try {
        return await running;
      } catch (error) {
        // The one who asked has left, or its answer cannot be shared: this one asks for itself.
        if (!(error instanceof TooLongError) && toDragonflyError(error).code !== 'CANCELLED') throw error;
        signal.throwIfAborted();
      }
    }
    const asking = this.#ask(exchange, key).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #ask(exchange: Exchange, key: string): Promise<Answer> {
    const { url, request, trust, loopbackAllowed, signal } = exchange;
    const { 'accept-encoding': _encoding, ...header } = exchange.header;
    const known = this.#known.get(key);
    let message: IncomingMessage;
    try {
      const method = request.method ?? 'GET';
      message = await this.#upstream.send({ method, url, header, trust, loopbackAllowed, signal });
    } catch (error) {
      if (known && toDragonflyError(error).code !== 'CANCELLED') return stale(known);
      throw error;
    }
    const answer = await received(message);
    if (isTemporaryStatus(answer.statusCode) && known) return stale(known);
    if (answer.statusCode === 200) this.#known.set(key, answer);
    return answer;
  }

  #send(exchange: Exchange, { statusCode, header, body }: Answer): void {
    const { response, request, record } = exchange;
    if (response.destroyed) return;
    const door = `http://${request.headers.host ?? ''}`;
    const told = { ...header };
    const { location, link } = flat(header);
    if (location !== undefined) told['location'] = this.#hub.throughDoor(location, '');
    if (link !== undefined) told['link'] = this.#linksThroughDoor(link, door);
    const isJson = (flat(header)['content-type'] ?? '').startsWith('application/json');
    const sent = isJson ? withoutXet(body) : body;
    if (request.method !== 'HEAD') told['content-length'] = String(sent.length);
    response.writeHead(statusCode, told);
    noteFirstByte(record);
    record.bytes = sent.length;
    response.end(request.method === 'HEAD' ? undefined : sent);
  }

  /** Pages lead through the door; what leads to chunks of files is left out. */
  #linksThroughDoor(link: string, door: string): string {
    const links = [...link.matchAll(/<([^>]*)>([^<]*?)(?:,\s*(?=<)|$)/g)];
    return links
      .filter(([, , params = '']) => !/rel="?xet-/.test(params))
      .map(([, url = '', params = '']) => `<${this.#hub.throughDoor(url, door)}>${params}`)
      .join(', ');
  }
}

/** The answer is longer than what is kept; what was read is put back, and it is passed on as it comes. */
class TooLongError extends Error {
  readonly rest: IncomingMessage;

  constructor(rest: IncomingMessage) {
    super('the answer of the hub is too long to be kept');
    this.rest = rest;
  }
}

async function received(message: IncomingMessage): Promise<Answer> {
  const blocks: Buffer[] = [];
  let length = 0;
  try {
    for await (const block of message.iterator({ destroyOnReturn: false })) {
      blocks.push(block as Buffer);
      length += (block as Buffer).length;
      if (length > answerBytes) break;
    }
  } catch (cause) {
    throw new DragonflyError('SOURCE_UNREACHABLE', 'the hub broke off inside its answer', {
      cause,
      hint: 'Try again.',
    });
  }
  const body = Buffer.concat(blocks, length);
  if (length > answerBytes) {
    message.unshift(body);
    throw new TooLongError(message);
  }
  const entries = Object.entries(forwardedResponseHeader(message));
  const header = Object.fromEntries(entries.filter(([name]) => !ofTheMessage.has(name) && !name.startsWith('x-xet-')));
  return { statusCode: message.statusCode ?? 502, header, body };
}

function stale(known: Answer): Answer {
  return { ...known, header: { ...known.header, warning: '111 - "the hub could not be asked"' } };
}

/** Clients that are told of chunks go to their store and around the door. */
function withoutXet(body: Buffer): Buffer {
  if (!body.includes('xetHash')) return body;
  try {
    const leaveOut = (name: string, value: unknown): unknown => (name === 'xetHash' ? undefined : value);
    return Buffer.from(JSON.stringify(JSON.parse(body.toString('utf8')), leaveOut));
  } catch {
    return body; // not what it says it is
  }
}
