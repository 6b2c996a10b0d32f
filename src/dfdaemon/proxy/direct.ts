/** Plain forwarding: the client's request goes to the origin as it is, the answer comes back as it is. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { answerError } from './answers.ts';
import { noteFirstByte, type Exchange } from './exchange.ts';
import { forwardedResponseHeader } from './header.ts';
import type { Upstream } from './upstream.ts';

/**
 * Answers the client in every case; resolves when the answer has ended or its connection was broken.
 * @param whenUnreachable answers instead of an error when the origin cannot be reached
 */
export async function forwardDirectly(
  exchange: Exchange,
  upstream: Upstream,
  whenUnreachable?: (response: ServerResponse) => void,
): Promise<void> {
  const { request, response, record } = exchange;
  record.way = 'direct';
  let message: IncomingMessage;
  try {
    message = await upstream.send({
      method: request.method ?? 'GET',
      url: exchange.url,
      header: exchange.header,
      body: hasBody(request) ? request : undefined,
      trust: exchange.trust,
      loopbackAllowed: exchange.loopbackAllowed,
      signal: exchange.signal,
    });
  } catch (error) {
    record.error = toDragonflyError(error);
    if (whenUnreachable && record.error.code === 'SOURCE_UNREACHABLE') return whenUnreachable(response);
    return answerError(response, record.error, { kind: exchange.kind, type: 'proxy' });
  }
  if (isWebPage(exchange, message)) {
    message.destroy();
    record.error = notARegistry(exchange.url);
    return answerError(response, record.error, { kind: exchange.kind, type: 'proxy', status: 502 });
  }
  await relay(exchange, message);
}

/** Passes an upstream's answer on; a body that breaks off breaks the client's connection. */
export async function relay(exchange: Exchange, message: IncomingMessage): Promise<void> {
  const { response, record } = exchange;
  if (response.destroyed) return void message.destroy();
  if (response.req.httpVersionMajor === 1) response.statusMessage = message.statusMessage ?? '';
  response.writeHead(message.statusCode ?? 502, forwardedResponseHeader(message));
  noteFirstByte(record);
  response.flushHeaders();
  message.on('data', (block: Buffer) => {
    record.bytes += block.length;
  });
  try {
    await pipeline(message, response);
  } catch (error) {
    record.error = toDragonflyError(error);
    response.destroy();
  }
}

function hasBody(request: IncomingMessage): boolean {
  const { headers, method } = request;
  if (headers['transfer-encoding'] !== undefined) return true;
  if (headers['content-length'] !== undefined) return headers['content-length'] !== '0';
  return request.httpVersionMajor === 2 && method !== 'GET' && method !== 'HEAD' && !request.complete;
}

/** A registry never answers a pull with a page; engines report only "unknown type: text/html", which explains nothing. */
function isWebPage(exchange: Exchange, message: IncomingMessage): boolean {
  return (
    exchange.kind === 'mirror' &&
    exchange.url.pathname.includes('/v2/') &&
    message.statusCode === 200 &&
    (message.headers['content-type'] ?? '').startsWith('text/html')
  );
}

export function notARegistry(url: URL): DragonflyError {
  return new DragonflyError('SOURCE_STATUS', `${url.host} answered with a web page: it is a site, not a registry`, {
    hint: 'Name the registry itself in X-Dragonfly-Registry; for Docker Hub it is https://registry-1.docker.io.',
  });
}
