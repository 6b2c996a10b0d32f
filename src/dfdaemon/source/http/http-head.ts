/** The header of an HTTP/1.x answer: how it is parsed, and which fields may be passed on. Pure. */
import { DragonflyError } from '../../../core/errors.ts';
import { redact } from '../../../core/redact.ts';
import { withoutBlanks } from '../../../core/text/linear-text.ts';

export interface ResponseHead {
  readonly statusCode: number;
  /** Lower-case names; repeated fields joined by a comma, Set-Cookie by a newline. */
  readonly header: Readonly<Record<string, string>>;
  /** True when the connection may carry another request after this answer's body. */
  readonly keepAlive: boolean;
  /** `chunked`, a length in bytes, or the end of the connection. */
  readonly framing: 'chunked' | 'until-close' | number;
}

/**
 * @param text the answer up to and including the empty line, Latin-1. Folded lines and bare line feeds are read as RFC
 * 9112 allows (§2.2, §5.2). Throws PROTOCOL on anything that two parsers could read differently.
 */
export function parseResponseHead(text: string, method: string): ResponseHead {
  const lines = text.replace(/\r?\n[ \t]+(?=[^\r\n])/g, ' ').split(/\r?\n/);
  const status = /^HTTP\/1\.([01]) (\d{3})(?: |$)/.exec(lines[0] ?? '');
  if (!status) throw protocolError(`it does not speak HTTP: "${(lines[0] ?? '').slice(0, 60)}"`);
  const header: Record<string, string> = {};
  for (const line of lines.slice(1)) {
    if (line === '') break;
    const colon = line.indexOf(':');
    if (colon < 1 || !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(line.slice(0, colon)) || /[\r\n]/.test(line))
      throw protocolError('a header line is malformed');
    const name = line.slice(0, colon).toLowerCase();
    const value = withoutBlanks(line.slice(colon + 1));
    const before = Object.hasOwn(header, name) ? header[name] : undefined;
    if (name === 'content-length' && before !== undefined && before !== value) {
      throw protocolError('it gives two different content lengths');
    }
    if (name === 'content-length') header[name] = value;
    else header[name] = before === undefined ? value : `${before}${name === 'set-cookie' ? '\n' : ', '}${value}`;
  }
  const statusCode = Number(status[2]);
  const tokens = tokensOf(header['connection']);
  const keepAlive = status[1] === '1' ? !tokens.includes('close') : tokens.includes('keep-alive');
  const framing = framingOf(statusCode, header, method);
  return { statusCode, header, framing, keepAlive: keepAlive && framing !== 'until-close' };
}

/** Where the header ends, one past its empty line; -1 when it is not all there. */
export function endOfHead(bytes: Buffer): number {
  const ends = [bytes.indexOf('\n\r\n') + 3, bytes.indexOf('\n\n') + 2].filter((end) => end > 2);
  return ends.length === 0 ? -1 : Math.min(...ends);
}

function framingOf(
  statusCode: number,
  header: Readonly<Record<string, string>>,
  method: string,
): ResponseHead['framing'] {
  if (method === 'HEAD' || statusCode < 200 || statusCode === 204 || statusCode === 304) return 0;
  const coding = header['transfer-encoding'];
  if (coding !== undefined) {
    if (coding.toLowerCase() === 'chunked') return 'chunked';
    // RFC 2616 had a name for no coding at all.
    if (coding.toLowerCase() !== 'identity')
      throw protocolError(`it uses the transfer coding "${coding.slice(0, 40)}"`);
  }
  const length = header['content-length'];
  if (length === undefined) return 'until-close';
  if (!/^\d{1,16}$/.test(length) || !Number.isSafeInteger(Number(length)))
    throw protocolError('its content length is malformed');
  return Number(length);
}

export function protocolError(what: string): DragonflyError {
  return new DragonflyError('PROTOCOL', `the origin's answer is not usable: ${what}`, {
    hint: 'Check that the URL names an HTTP server and not another service or a broken proxy.',
  });
}

const perConnection = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'proxy-authenticate',
  'proxy-authorization',
  'alt-svc',
]);
/** Fields that describe one answer rather than the content, or that identify one client. */
const perAnswer = new Set(['content-length', 'content-range', 'set-cookie', 'set-cookie2']);

/** Say where something is; a signature in them is for whoever was answered. */
const places: ReadonlySet<string> = new Set(['content-location', 'link', 'location', 'refresh']);

/** Header fields kept for later readers of the content. */
export function contentHeader(header: Readonly<Record<string, string>>): Record<string, string> {
  const kept = without(header, new Set([...perAnswer, ...tokensOf(header['connection'])]));
  return Object.fromEntries(
    Object.entries(kept).map(([name, value]) => [name, places.has(name) ? redact(value) : value]),
  );
}

/** Header fields of an error response that are passed to the caller. */
export function errorHeader(header: Readonly<Record<string, string>>): Record<string, string> {
  return without(header, new Set(['set-cookie', 'set-cookie2', 'content-length', ...tokensOf(header['connection'])]));
}

const ownedByClient = new Set([
  'host',
  'content-length',
  'expect',
  'range',
  'accept-encoding',
  'http2-settings',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
]);

/** A caller's header as it may be sent on: in lower case, without fields that belong to a connection or to this client. */
export function requestHeader(header: Readonly<Record<string, string>>): Record<string, string> {
  const lower = Object.fromEntries(Object.entries(header).map(([name, value]) => [name.toLowerCase(), value.trim()]));
  for (const [name, value] of Object.entries(lower)) {
    if (/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) && !/[\r\n\0]|[^\x00-\xff]/.test(value)) continue;
    throw new DragonflyError('INVALID_ARGUMENT', `the request header "${name.slice(0, 60)}" is malformed`, {
      hint: 'Write it as Name: value, on one line, in ASCII.',
    });
  }
  return without(lower, new Set([...ownedByClient, ...tokensOf(lower['connection'])]));
}

function without(header: Readonly<Record<string, string>>, names: ReadonlySet<string>): Record<string, string> {
  return Object.fromEntries(Object.entries(header).filter(([name]) => !names.has(name) && !perConnection.has(name)));
}

function tokensOf(value: string | undefined): string[] {
  return value === undefined ? [] : value.split(',').map((token) => token.trim().toLowerCase());
}
