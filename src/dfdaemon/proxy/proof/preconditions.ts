/** Evaluates the preconditions of a request against a stored answer (RFC 9110 §13.2.2). Pure. */
import { strongValidator, type FlatHeader } from './representation.ts';

export const preconditionNames = [
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
  'if-range',
] as const;

/** `ignoreRange`: the content has changed since the client read a part of it, so it gets the whole. */
export type Judgement = 'go' | 'notModified' | 'failed' | 'ignoreRange';

/** @param stored header of the answer that would be sent */
export function judgePreconditions(request: FlatHeader, stored: FlatHeader): Judgement {
  const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch, 'if-range': ifRange } = request;
  if (ifMatch !== undefined) {
    if (!listsTag(ifMatch, stored['etag'], 'strong')) return 'failed';
  } else if (later(stored['last-modified'], request['if-unmodified-since'])) return 'failed';
  if (ifNoneMatch !== undefined) {
    if (listsTag(ifNoneMatch, stored['etag'], 'weak')) return 'notModified';
  } else if (notLater(stored['last-modified'] ?? stored['date'], request['if-modified-since'])) return 'notModified';
  if (ifRange !== undefined && request['range'] !== undefined && !ifRangeHolds(ifRange, stored)) return 'ignoreRange';
  return 'go';
}

/** Strong comparison; a date must match to the second, and only counts where it is strong. */
export function ifRangeHolds(validator: string, stored: FlatHeader): boolean {
  const text = validator.trim();
  if (text.startsWith('W/')) return false;
  if (text.startsWith('"')) return strongValidator({ etag: stored['etag'] ?? '' }) === text;
  const given = Date.parse(text);
  return !Number.isNaN(given) && given === Date.parse(stored['last-modified'] ?? '');
}

function listsTag(list: string, etag: string | undefined, comparison: 'strong' | 'weak'): boolean {
  if (list.trim() === '*') return true;
  if (etag === undefined || (comparison === 'strong' && etag.startsWith('W/'))) return false;
  const tags = list.match(/(?:W\/)?"[^"]*"|[^\s,"]+/g) ?? [];
  return tags.some((tag) => (comparison === 'strong' ? tag === etag : opaque(tag) === opaque(etag)));
}

function opaque(tag: string): string {
  return tag.startsWith('W/') ? tag.slice(2) : tag;
}

/** Unreadable dates are ignored. */
function later(changed: string | undefined, limit: string | undefined): boolean {
  return Date.parse(changed ?? '') > Date.parse(limit ?? '');
}

function notLater(changed: string | undefined, limit: string | undefined): boolean {
  return Date.parse(changed ?? '') <= Date.parse(limit ?? '');
}
