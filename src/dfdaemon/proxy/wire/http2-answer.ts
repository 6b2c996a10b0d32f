/** Answers to HTTP/2 clients: translates what was said in HTTP/1 for Node's server. */
import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Http2ServerResponse } from 'node:http2';
import { DragonflyError } from '../../../core/errors.ts';
import { forwardedFields, linesOf, pairs, type HeaderLines } from './header.ts';

type Fields = OutgoingHttpHeaders | readonly OutgoingHttpHeader[];

/** Accepts every header that its HTTP/1 counterpart accepts. */
export class Http2ClientResponse extends Http2ServerResponse {
  /** Throws PROTOCOL for a status that HTTP/2 lacks, before anything is sent. */
  override writeHead(statusCode: number, reason?: string | Fields, header?: Fields): this {
    if (statusCode > 599)
      throw new DragonflyError('PROTOCOL', `the status ${statusCode} of the origin is none that HTTP/2 has`);
    const fields = typeof reason === 'string' ? header : (header ?? reason);
    return super.writeHead(statusCode, fields && http2Fields(linesOf(fields)));
  }

  override addTrailers(trailers: OutgoingHttpHeaders | readonly (readonly [string, string])[]): void {
    super.addTrailers(http2Fields(linesOf(isPairs(trailers) ? trailers.flat() : trailers)));
  }
}

function isPairs(
  trailers: OutgoingHttpHeaders | readonly (readonly [string, string])[],
): trailers is readonly (readonly [string, string])[] {
  return Array.isArray(trailers);
}

/** Keyed by lower-case names; repeated fields become a list (RFC 9110 §5.3), since the server refuses most repetitions. */
function http2Fields(lines: HeaderLines): Record<string, string | string[]> {
  const fields: Record<string, string> = {};
  const cookies: string[] = [];
  for (const [name, value] of pairs(lines)) {
    const lower = name.toLowerCase();
    if (lower === 'set-cookie') cookies.push(value);
    else fields[lower] = [fields[lower], value].filter(Boolean).join(', ');
  }
  return cookies.length > 0 ? { ...fields, 'set-cookie': cookies } : fields;
}

/** Writes an interim answer other than 101. */
export function writeHttp2Information(response: ServerResponse, statusCode: number, lines: HeaderLines): void {
  const { stream } = response as unknown as Http2ServerResponse;
  if (statusCode === 101 || !stream || stream.destroyed || stream.closed) return;
  stream.additionalHeaders({ ':status': statusCode, ...http2Fields(forwardedFields(lines)) });
}
