/** Answers to clients of HTTP/2: what the origin said in HTTP/1, in the words of Node's server. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import { DragonflyError } from '../../../core/errors.ts';
import { forwardedFields, pairs, type HeaderLines } from './header.ts';

/** By lower-case names; what was repeated is one list (RFC 9110 §5.3), since the server refuses most names a second time. */
export function http2Fields(lines: HeaderLines): Record<string, string | string[]> {
  const fields: Record<string, string> = {};
  const cookies: string[] = [];
  for (const [name, value] of pairs(lines)) {
    const lower = name.toLowerCase();
    if (lower === 'set-cookie') cookies.push(value);
    else fields[lower] = [fields[lower], value].filter(Boolean).join(', ');
  }
  return cookies.length > 0 ? { ...fields, 'set-cookie': cookies } : fields;
}

/** Throws PROTOCOL for a status that HTTP/2 does not have; nothing has been sent then. */
export function writeHttp2Head(response: ServerResponse, message: IncomingMessage, lines: HeaderLines): void {
  const { statusCode = 502 } = message;
  if (statusCode > 599) {
    message.destroy();
    throw new DragonflyError(
      'PROTOCOL',
      `the origin answered with the status ${statusCode}, which HTTP/2 does not have`,
    );
  }
  response.writeHead(statusCode, http2Fields(lines));
}

/** An interim answer, 101 excepted. */
export function writeHttp2Information(response: ServerResponse, statusCode: number, lines: HeaderLines): void {
  const { stream } = response as unknown as Http2ServerResponse;
  if (statusCode === 101 || !stream || stream.destroyed || stream.closed) return;
  stream.additionalHeaders({ ':status': statusCode, ...http2Fields(forwardedFields(lines)) });
}
