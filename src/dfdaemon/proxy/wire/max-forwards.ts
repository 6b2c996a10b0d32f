/** `Max-Forwards`, by which a client asks one of the proxies on the way, and not the origin (RFC 9110 §7.6.2). */
import type { IncomingMessage, ServerResponse } from 'node:http';

const traced: ReadonlySet<string> = new Set(['OPTIONS', 'TRACE']);
/** What an answer to TRACE must not show. */
const secret = /^(?:authorization|proxy-authorization|cookie)$/i;

/** The request goes no further, or is about the proxy itself. */
export function isForThisHop({ method = '', url, headers }: IncomingMessage): boolean {
  return traced.has(method) && (/^0{1,9}$/.test(String(headers['max-forwards'])) || url === '*');
}

/** The value for the next hop. */
export function forwardsAfter({ method = '' }: IncomingMessage, value: string): string {
  return traced.has(method) && /^\d{1,9}$/.test(value) ? String(Math.max(0, Number(value) - 1)) : value;
}

export function answerHere({ method, url, httpVersion, rawHeaders }: IncomingMessage, response: ServerResponse): void {
  if (method !== 'TRACE') {
    response.writeHead(200, { 'content-length': 0 });
    return void response.end();
  }
  const lines: string[] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2);
    if (!secret.test(name)) lines.push(`${name}: ${value}\r\n`);
  }
  const body = Buffer.from(`TRACE ${url} HTTP/${httpVersion}\r\n${lines.join('')}\r\n`, 'latin1');
  response.writeHead(200, { 'content-type': 'message/http', 'content-length': body.length });
  response.end(body);
}
