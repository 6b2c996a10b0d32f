/** How the body of a client's request is delimited, and which requests are refused because that is ambiguous. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import { DragonflyError } from '../../../core/errors.ts';

export function requestFraming(request: IncomingMessage): 'none' | 'length' | 'chunked' {
  const { headers } = request;
  if (headers['transfer-encoding'] !== undefined) return 'chunked';
  if (headers['content-length'] !== undefined) return headers['content-length'] === '0' ? 'none' : 'length';
  if (request.httpVersionMajor === 1) return 'none';
  return (request as unknown as Http2ServerRequest).stream.endAfterHeaders ? 'none' : 'chunked';
}

/**
 * node:http refuses two lengths at once and malformed ones. What remains is a coding that the proxy does not decode, or
 * one that its HTTP version lacks: the next hop could see another end of the body.
 */
export function refuseUnsureFraming(request: IncomingMessage, response: ServerResponse): void {
  try {
    requireSure(request);
  } catch (error) {
    response.shouldKeepAlive = false; // where the next request begins is ambiguous as well
    throw error;
  }
}

function requireSure({ headers, httpVersionMajor, httpVersionMinor, rawHeaders }: IncomingMessage): void {
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) {
    const old = httpVersionMajor === 1 && httpVersionMinor === 0;
    if (old || coding.trim().toLowerCase() !== 'chunked') throw unsure(`the transfer coding "${coding}" is not served`);
  }
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  if (hosts.length > 1) throw unsure('the request names several hosts');
}

function unsure(what: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', what, { hint: 'Send one Host, and a length or chunks, but not both.' });
}
