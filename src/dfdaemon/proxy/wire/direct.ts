/** Plain forwarding: the client's request goes to the origin unchanged, and so does the answer to the client. */
import type { IncomingMessage, InformationEvent, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import { answerError } from '../answers.ts';
import { bodyOfUpgrade } from './client-server.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { ownConnections } from './connection-sign-in.ts';
import { forwardedAnswerLines, forwardedRequestLines, forwardedTrailers, pairs } from './header.ts';
import { writeHttp2Information } from './http2-answer.ts';
import { joinSockets } from './join-sockets.ts';
import { proxyLimits } from '../limits.ts';
import { throughMirror } from '../registry/mirror-naming.ts';
import { RequestBody } from './request-body.ts';
import { requestFraming } from './request-framing.ts';
import type { Upstream } from './upstream.ts';

export interface ForwardHooks {
  /** Produces the answer when the origin cannot be reached, in place of an error, unless it returns false. Absent where there is none. */
  readonly whenUnreachable?: (response: ServerResponse) => boolean;
  /** Called with the origin's answer before the client gets it. */
  readonly observe?: (message: IncomingMessage) => void;
}

/** Answers the client in every case; resolves when the answer has ended or its connection was broken. */
export async function forwardDirectly(
  call: ClientCall,
  upstream: Upstream,
  { whenUnreachable, observe }: ForwardHooks = {},
): Promise<void> {
  const { response, record } = call;
  record.way = 'direct';
  let message: IncomingMessage;
  try {
    message = await sendOwn(call, upstream, { hasOther: whenUnreachable !== undefined });
  } catch (error) {
    record.error = toDragonflyError(error);
    if (record.error.code === 'SOURCE_UNREACHABLE' && whenUnreachable?.(response) === true) return;
    return answerError(response, record.error, { kind: call.kind, type: 'proxy' });
  }
  if (message.statusCode === 101) return passUpgrade(call, message);
  if (isWebPage(call, message)) {
    message.destroy();
    record.error = notARegistry(call.url);
    return answerError(response, record.error, { kind: call.kind, type: 'proxy', status: 502 });
  }
  observe?.(message);
  await relay(call, message);
}

export interface OwnRequest {
  /** Fields that the request lacks, appended to it. */
  readonly conditions?: Readonly<Record<string, string>> | undefined;
  /** Something can be answered without the origin, so that nobody has to wait for it as long as the client would. */
  readonly hasOther: boolean;
}

/** Sends the client's own request to its origin as it came. Errors: those of Upstream.send. */
export async function sendOwn(
  call: ClientCall,
  upstream: Upstream,
  { conditions = {}, hasOther }: OwnRequest,
): Promise<IncomingMessage> {
  const { request, response } = call;
  const { connectTimeoutMs, upstreamHeaderTimeoutMs, ownSilenceMs, ownSilenceMarginMs } = proxyLimits;
  const isPatient = call.kind !== 'mirror' && !hasOther;
  if (isPatient && request.httpVersionMajor === 1)
    response.socket?.setTimeout(connectTimeoutMs + ownSilenceMs + ownSilenceMarginMs);
  const framing = requestFraming(request);
  const upgradeBody = bodyOfUpgrade(request);
  const upgrade = upgradeBody !== undefined;
  const source = upgrade ? Readable.from([upgradeBody]) : request;
  const body =
    framing === 'none'
      ? undefined
      : new RequestBody(source, framing === 'length' ? Number(request.headers['content-length']) : undefined);
  try {
    return await upstream.send({
      method: request.method ?? 'GET',
      url: call.url,
      header: call.header,
      trust: call.trust,
      loopbackAllowed: call.loopbackAllowed,
      signal: call.signal,
      own: {
        target: call.target,
        lines: [
          ...forwardedRequestLines(request, {
            authority: call.authority,
            via: call.header['via'] ?? '',
            upgrade,
            framing,
          }),
          ...Object.entries(conditions).flat(),
        ],
        body,
        upgrade,
        silenceMs: isPatient ? ownSilenceMs : upstreamHeaderTimeoutMs,
        connections: ownConnections(request, call.url),
        onInformation: (information) => passInformation(response, information),
      },
    });
  } catch (error) {
    body?.drain();
    throw error;
  }
}

/** Passes on an answer; a body that breaks off breaks the client's connection. */
export async function relay(call: ClientCall, message: IncomingMessage): Promise<void> {
  const { response, record } = call;
  if (response.destroyed) return void message.destroy();
  try {
    writeAnswerHead(call, message);
  } catch (error) {
    message.destroy();
    throw error;
  }
  response.flushHeaders();
  message.on('data', (block: Buffer) => {
    record.bytes += block.length;
  });
  message.once('end', () => {
    const trailers = forwardedTrailers(message.rawTrailers);
    if (trailers.length === 0) return;
    response.addTrailers(trailers);
  });
  try {
    await pipeline(message, response);
  } catch (error) {
    record.error = toDragonflyError(error);
    response.destroy();
  }
}

/** Writes status and header of an answer as its origin wrote them. */
export function writeAnswerHead(call: ClientCall, message: IncomingMessage): void {
  const { response, record, serverIp } = call;
  const told = forwardedAnswerLines(message);
  const lines = call.naming ? throughMirror(told, call.naming) : told;
  if (serverIp !== undefined) lines.push('X-Dragonfly-Server-IP', serverIp);
  response.sendDate = false; // the origin's, or none
  if (response.req.httpVersionMajor === 1) {
    response.writeHead(message.statusCode ?? 502, message.statusMessage ?? '', withFittingTrailer(call, lines));
  } else response.writeHead(message.statusCode ?? 502, lines);
  noteFirstByte(record);
}

/** Trailers only go with chunked bodies; node:http throws where they are announced without one. */
function withFittingTrailer({ request }: ClientCall, lines: string[]): string[] {
  const chunked = request.method !== 'HEAD' && request.httpVersionMinor > 0 && !has(lines, 'content-length');
  return chunked ? lines : [...pairs(lines)].filter(([name]) => name.toLowerCase() !== 'trailer').flat();
}

function has(lines: readonly string[], wanted: string): boolean {
  return [...pairs(lines)].some(([name]) => name.toLowerCase() === wanted);
}

/** Passes on interim answers of the origin to clients that support them. */
function passInformation(response: ServerResponse, { statusCode, rawHeaders }: InformationEvent): void {
  const { req } = response;
  if (response.headersSent || response.destroyed || (req.httpVersionMajor === 1 && req.httpVersionMinor === 0)) return;
  try {
    if (statusCode === 100) response.writeContinue();
    else if (req.httpVersionMajor === 1) response.writeInformation(statusCode, rawHeaders);
    else writeHttp2Information(response, statusCode, rawHeaders);
  } catch {
    // Interim answers that the client's protocol cannot express are dropped: they are only hints.
  }
}

/** The connection has switched protocols: copies bytes both ways until both sides have ended. */
async function passUpgrade(call: ClientCall, message: IncomingMessage): Promise<void> {
  const { response, record, signal } = call;
  const { socket: origin } = message;
  const client = response.socket;
  if (!client || client.destroyed) return void origin.destroy();
  record.way = 'tunnel';
  response.detachSocket(client);
  const lines = [...pairs(message.rawHeaders)].map(([name, value]) => `${name}: ${value}\r\n`);
  client.write(`HTTP/1.1 101 ${message.statusMessage ?? ''}\r\n${lines.join('')}\r\n`, 'latin1');
  noteFirstByte(record);
  await joinSockets(client, origin, { idleMs: proxyLimits.tunnelIdleTimeoutMs, signal });
  record.bytes = origin.bytesRead;
}

/** A registry never answers a pull with a web page; engines would only report "unknown type: text/html", which explains nothing. */
function isWebPage(call: ClientCall, message: IncomingMessage): boolean {
  return (
    call.kind === 'mirror' &&
    call.url.pathname.includes('/v2/') &&
    message.statusCode === 200 &&
    (message.headers['content-type'] ?? '').startsWith('text/html')
  );
}

export function notARegistry(url: URL): DragonflyError {
  return new DragonflyError('SOURCE_STATUS', `${url.host} answered with a web page: it is a site, not a registry`, {
    hint: 'Name the registry itself in X-Dragonfly-Registry; for Docker Hub it is https://registry-1.docker.io.',
  });
}
