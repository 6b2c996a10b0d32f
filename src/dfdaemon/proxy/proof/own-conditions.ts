/** Conditions that spare the origin from sending what is held here. */
import { flat } from './answer-header.ts';
import type { KnownObject } from './known-objects.ts';
import type { SmallAnswer } from './small-answers.ts';

/** If-None-Match for entity tags, including weak ones of small answers, else If-Modified-Since. */
export function conditionsOf(small: SmallAnswer | undefined, known: readonly KnownObject[]): Record<string, string> {
  if (small) {
    const { etag, 'last-modified': changed } = flat(small.header);
    return { ...(etag && { 'if-none-match': etag }), ...(changed && { 'if-modified-since': changed }) };
  }
  const validators = known.map(({ representation }) => representation.validator);
  const tags = validators.filter((validator) => validator.startsWith('"'));
  if (tags.length > 0) return { 'if-none-match': tags.join(', ') };
  const [date] = validators;
  return date === undefined ? {} : { 'if-modified-since': date };
}
