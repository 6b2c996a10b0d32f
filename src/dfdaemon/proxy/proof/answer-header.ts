/** The header of an answer made of stored bytes: what the origin told this very caller, where it was asked. Pure. */
import { checksumsOf, withoutChecksums } from '../../source/checksums.ts';
import { contentHeader } from '../../source/http/http-head.ts';
import type { FlatHeader } from './representation.ts';

export type AnswerHeader = Readonly<Record<string, string | string[]>>;

/** Fields that belong to one message, or are computed for each answer. */
const computed = new Set(['content-length', 'content-range', 'accept-ranges', 'age', 'transfer-encoding']);

/** Fields of a 304 that describe the stored bytes, not the answer (RFC 9111 §3.2). */
const keptFromStored = new Set([...computed, 'content-encoding', 'etag', 'content-md5']);

/** From an answer of the origin that names the stored bytes; `whole` when the request was for all of them. */
export function headerOfAnswer(header: AnswerHeader, { whole }: { readonly whole: boolean }): AnswerHeader {
  const named = Object.entries(header).filter(([name]) => !computed.has(name));
  const kept = Object.fromEntries(named);
  return whole ? kept : pick(kept, Object.keys(withoutChecksums(kept as FlatHeader)));
}

/** The stored header, updated by a 304. */
export function refreshed(stored: AnswerHeader, notModified: AnswerHeader): AnswerHeader {
  const news = Object.entries(notModified).filter(([name]) => !keptFromStored.has(name));
  const kept = Object.entries(stored).filter(([name]) => name !== 'set-cookie' && name !== 'date');
  return Object.fromEntries([...kept, ...news]);
}

/** The header stored with a task, for a caller that the origin was not asked about. */
export function headerOfTask(responseHeader: FlatHeader): Record<string, string> {
  const personal = new Set([
    ...computed,
    'date',
    'set-cookie',
    'set-cookie2',
    'www-authenticate',
    'alt-svc',
    'strict-transport-security',
  ]);
  return Object.fromEntries(Object.entries(contentHeader(responseHeader)).filter(([name]) => !personal.has(name)));
}

const ofContent =
  /^(?:content-(?:type|language|disposition|md5)|etag|last-modified|vary|cache-control|expires|digest|repr-digest|x-amz-checksum-.+|x-goog-hash)$/;

/**
 * What the answer about one byte may leave out of the whole's header: its type, as a client of a part knows that
 * already, and the checksums, which would be of that byte.
 */
export function ofStoredContent(responseHeader: FlatHeader): AnswerHeader {
  const named = Object.entries(responseHeader).filter(([name]) => /^content-(?:type|language|disposition)$/.test(name));
  return { ...Object.fromEntries(named), ...checksumsOf(responseHeader) };
}

/** What is the same for all callers. */
export function aboutContent(header: AnswerHeader): AnswerHeader {
  return pick(
    header,
    Object.keys(header).filter((name) => ofContent.test(name)),
  );
}

export function withoutCookies(header: AnswerHeader): AnswerHeader {
  const { 'set-cookie': _, ...kept } = header;
  return kept;
}

export function withoutChecksumsOf(header: AnswerHeader): AnswerHeader {
  return pick(header, Object.keys(withoutChecksums(flat(header))));
}

export function flat(header: AnswerHeader): Record<string, string> {
  return Object.fromEntries(
    Object.entries(header).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : value]),
  );
}

function pick(header: AnswerHeader, names: readonly string[]): AnswerHeader {
  return Object.fromEntries(names.map((name) => [name, header[name] ?? '']));
}
