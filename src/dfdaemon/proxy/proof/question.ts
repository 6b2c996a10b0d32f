/**
 * One GET to the origin on behalf of a caller. Redirects are followed as a client would, without carrying the caller's
 * secrets to another host. The answer is only ever a reason to serve stored bytes, or is the client's own answer.
 */
import type { IncomingMessage } from 'node:http';
import { headerTowards } from '../../../core/net/credential-routes.ts';
import { redirectTarget } from '../../../core/net/redirect-target.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { isLoopback, plainAddress } from '../access-guard.ts';
import { sendOwn, type OwnRequest } from '../wire/direct.ts';
import { isEquivalent } from '../wire/request-target.ts';
import type { ClientCall } from '../client-call.ts';
import { proxyLimits } from '../limits.ts';
import type { Upstream } from '../wire/upstream.ts';
import { isPage, type FlatHeader } from './representation.ts';

export interface OriginAnswer {
  readonly statusCode: number;
  /** Repeated fields are joined; for evaluation only. */
  readonly header: FlatHeader;
  /** The end of the way. */
  readonly message: IncomingMessage;
  /** What the client itself would have received: the first redirect, or the answer. */
  readonly first: IncomingMessage;
  /** A redirect led to a web page, which says nothing about the object. */
  readonly endsAtPage: boolean;
  /** Releases the connections; short bodies are read to keep them usable. */
  discard(): void;
}

export interface Question {
  readonly header: FlatHeader;
  readonly signal: AbortSignal;
  /** The client's own request is sent as it came, with the conditions added. */
  readonly own?: OwnRequest;
}

/** Errors: those of Upstream.send. A redirect that cannot be followed is itself the answer. */
export async function askOrigin(
  upstream: Upstream,
  call: ClientCall,
  { header, signal, own }: Question,
): Promise<OriginAnswer> {
  const { trust } = call;
  let { url, loopbackAllowed } = call;
  let sent = header;
  let first: IncomingMessage | undefined;
  for (let hops = 0; ; hops += 1) {
    const target = hops === 0 && isEquivalent(call) ? call.target : undefined;
    const request = { method: 'GET', url, target, header: sent, trust, loopbackAllowed, signal };
    const message = own && !first ? await sendOwn(call, upstream, own) : await sendOr(first, upstream, request);
    first ??= message;
    const next = message === first && hops > 0 ? undefined : redirectOf(message, url);
    if (!next) return answerOf(message, first);
    if (hops === proxyLimits.redirects) {
      if (message !== first) message.destroy();
      return answerOf(first, first);
    }
    if (message !== first) letGo(message);
    loopbackAllowed &&= isLoopback(plainAddress(message.socket.remoteAddress ?? ''));
    sent = headerTowards(next, url, sent);
    url = next;
  }
}

/** An error behind a redirect does not answer the client's own request; the redirect does. */
async function sendOr(
  first: IncomingMessage | undefined,
  upstream: Upstream,
  request: Parameters<Upstream['send']>[0],
): Promise<IncomingMessage> {
  try {
    return await upstream.send(request);
  } catch (error) {
    if (first) return first;
    throw error;
  }
}

function redirectOf(message: IncomingMessage, base: URL): URL | undefined {
  const { location } = message.headers;
  if (![301, 302, 303, 307, 308].includes(message.statusCode ?? 0) || location === undefined) return undefined;
  const url = redirectTarget(location, base);
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined;
}

function answerOf(message: IncomingMessage, first: IncomingMessage): OriginAnswer {
  const header = flatHeader(message);
  return {
    statusCode: message.statusCode ?? 502,
    header,
    message,
    first,
    endsAtPage: message !== first && isPage(header),
    discard: () => {
      letGo(message);
      if (message !== first) letGo(first);
    },
  };
}

export function flatHeader(message: IncomingMessage): Record<string, string> {
  const entries = Object.entries(message.headersDistinct).map(([name, values]) => [name, (values ?? []).join(', ')]);
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Reading a long body costs more than a new connection. */
export function letGo(message: IncomingMessage): void {
  const length = Number(message.headers['content-length'] ?? Number.NaN);
  const empty = message.statusCode === 304 || message.statusCode === 204;
  if (empty || length <= proxyLimits.dumpedBytes) message.resume().on('error', () => undefined);
  else message.on('error', () => undefined).destroy();
}

/** The first `count` bytes of the body from `offset` on; the rest is dropped. Undefined when the body ends before. */
export async function bytesOf(answer: OriginAnswer, offset: number, count: number): Promise<Buffer | undefined> {
  const blocks: Buffer[] = [];
  let length = 0;
  // A short body is read to its end, because breaking off would cost the connection.
  const short = Number(answer.header['content-length']) <= proxyLimits.dumpedBytes;
  try {
    for await (const block of answer.message) {
      blocks.push(block as Buffer);
      length += (block as Buffer).length;
      if (!short && length >= offset + count) break;
    }
  } catch (error) {
    throw new DragonflyError('SOURCE_UNREACHABLE', 'the origin broke off inside a short answer', { cause: error });
  }
  return length < offset + count ? undefined : Buffer.concat(blocks).subarray(offset, offset + count);
}
