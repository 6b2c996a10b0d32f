/** What identifies bytes at an origin: a strong validator and a length (RFC 9110 §8.8). Pure. */
import { parseContentRange } from '../../../core/byte-range.ts';

export type FlatHeader = Readonly<Record<string, string>>;

export interface Representation {
  /** A strong entity tag with its quotes, or an HTTP date that counts as strong. */
  readonly validator: string;
  readonly lengthBytes: number;
}

export function sameRepresentation(one: Representation | undefined, other: Representation | undefined): boolean {
  return (
    one !== undefined &&
    other !== undefined &&
    one.validator === other.validator &&
    one.lengthBytes === other.lengthBytes
  );
}

/**
 * Undefined for a missing, weak or malformed validator: several contents may have the same weak one. A date is strong
 * when it was a minute old at the time of the answer, since the content cannot have changed twice within that second
 * unnoticed (RFC 9110 §8.8.2.2, with the margin of its predecessor).
 */
export function strongValidator(header: FlatHeader): string | undefined {
  const { etag } = header;
  if (etag !== undefined && /^"[\x21\x23-\x7e\x80-\xff]*"$/.test(etag)) return etag;
  if (etag?.startsWith('W/') === true) return undefined;
  const changed = Date.parse(header['last-modified'] ?? '');
  const answered = Date.parse(header['date'] ?? '');
  return answered - changed >= 60_000 ? header['last-modified'] : undefined;
}

/** What an answer to a GET identifies, whole (200) or in part (206); undefined when it identifies nothing for certain. */
export function representationOf(statusCode: number, header: FlatHeader): Representation | undefined {
  const validator = strongValidator(header);
  const lengthBytes = contentLengthOf(statusCode, header);
  return validator === undefined || lengthBytes === undefined ? undefined : { validator, lengthBytes };
}

/** Length of the whole content as stored; undefined when the answer does not tell it or is encoded. */
export function contentLengthOf(statusCode: number, header: FlatHeader): number | undefined {
  if (isCoded(header)) return undefined;
  if (statusCode === 206) return parseContentRange(header['content-range'] ?? '')?.totalBytes;
  // Some servers answer a range with 200 and say in Content-Range that it is a part.
  if (statusCode !== 200 || header['content-range'] !== undefined) return undefined;
  if (header['transfer-encoding'] !== undefined || !/^\d{1,15}$/.test(header['content-length'] ?? '')) return undefined;
  return Number(header['content-length']);
}

export function isCoded(header: FlatHeader): boolean {
  return header['content-encoding'] !== undefined && header['content-encoding'] !== 'identity';
}

/** Whether the answer is a web page: sign-in, consent and error pages come with status 200 and say nothing about the object. */
export function isPage(header: FlatHeader): boolean {
  return /^(text\/html|application\/xhtml\+xml)\b/i.test(header['content-type'] ?? '');
}
