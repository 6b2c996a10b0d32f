/**
 * Which part of an object a partial answer holds. Servers and caches may send less than was asked for, or begin earlier
 * (aligned to their blocks): what they send is taken for what it says it is, and the rest is asked for. Pure.
 */
import { formatContentRange, parseContentRange, type ByteRange } from '../../../core/byte-range.ts';
import { protocolError, type ResponseHead } from './http-head.ts';

export interface AnsweredPart {
  /** What the answer's body holds. */
  readonly sent: ByteRange;
  /** What was asked for, as far as the object goes. */
  readonly asked: ByteRange;
  readonly totalBytes: number | undefined;
}

/** Whether the answer is a part, also where its status says otherwise. */
export function isPartial({ statusCode, header }: Pick<ResponseHead, 'statusCode' | 'header'>): boolean {
  if (statusCode === 206) return true;
  const told = parseContentRange(header['content-range'] ?? '');
  return told !== undefined && told.range.length !== told.totalBytes;
}

/** Throws PROTOCOL for a part that does not hold the first byte that was asked for. */
export function partOf(
  { header, framing }: Pick<ResponseHead, 'header' | 'framing'>,
  { range, suffixBytes }: { readonly range?: ByteRange | undefined; readonly suffixBytes?: number | undefined },
): AnsweredPart {
  const text = header['content-range'];
  const told = text === undefined ? undefined : parseContentRange(text);
  if (!told) throw protocolError(`its Content-Range is ${text === undefined ? 'missing' : 'malformed'}`);
  const { range: sent, totalBytes } = told;
  if (typeof framing === 'number' && framing !== sent.length)
    throw protocolError('its Content-Length does not fit its Content-Range');
  if (!range && suffixBytes === undefined) {
    if (sent.length !== totalBytes) throw protocolError('it sends a part of the object though the whole was asked for');
    return { sent, asked: sent, totalBytes };
  }
  const wanted = range ?? suffixOf(suffixBytes ?? 0, totalBytes);
  const objectEnd = totalBytes ?? sent.start + sent.length;
  const asked = { start: wanted.start, length: Math.min(wanted.length, objectEnd - wanted.start) };
  if (wanted.start >= sent.start && wanted.start < sent.start + sent.length) return { sent, asked, totalBytes };
  const wantedText = formatContentRange(wanted, totalBytes ?? 0).replace(/\/.*/, '');
  throw protocolError(`it sends "${text}" though "${wantedText}" was asked for`);
}

/** Throws PROTOCOL for content of unknown length, because the position of its last bytes is unknown. */
function suffixOf(bytes: number, totalBytes: number | undefined): ByteRange {
  if (totalBytes === undefined) throw protocolError('it sends the end of the object without the length of the whole');
  const length = Math.min(bytes, totalBytes);
  return { start: totalBytes - length, length };
}
