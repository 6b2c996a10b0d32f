/**
 * What makes two requests equal, so that one question to the origin, or one answer of it, serves both: here, and at
 * other nodes. Nothing else decides it. Pure.
 */
import { callerKey, withoutCredentials } from './caller.ts';
import { preconditionNames } from './preconditions.ts';

/** Fields of a request about the body it wants: an answer that is shared with others is asked for without them. */
export const aboutBody: ReadonlySet<string> = new Set(['range', ...preconditionNames]);

/** Fields by which an origin chooses the form of what it sends. */
const aboutForm: ReadonlySet<string> = new Set(['accept', 'accept-charset', 'accept-encoding', 'accept-language']);

/** Fields that are different for each request and select nothing. */
const aboutPassage: ReadonlySet<string> = new Set([
  'via',
  'date',
  'forwarded',
  'traceparent',
  'tracestate',
  'b3',
  'x-forwarded-for',
  'x-request-id',
  'x-correlation-id',
]);

/**
 * On which fields of a request its answer depends, besides those that may name the caller. `rights`: on none, it only
 * says whether the caller may have something. `object`: on those that select what the URL names. `answer`: on the form,
 * the range and the conditions. `request`: on every field.
 */
export type DependsOn = 'rights' | 'object' | 'answer' | 'request';

export interface AskedFor {
  readonly kind: string;
  readonly url: URL;
  /** Lower-case names. */
  readonly header: Readonly<Record<string, string>>;
  readonly method?: string | undefined;
  /** Names the content in place of the URL's path, a digest in a repository say. The query always counts. */
  readonly content?: readonly string[] | undefined;
  /** What else distinguishes the question. */
  readonly more?: readonly string[] | undefined;
  readonly dependsOn: DependsOn;
}

/** All that distinguishes a question from others, besides the caller. Only this file makes them. */
export type SharedParts = readonly string[] & { readonly [made]: true };
declare const made: unique symbol;

export interface SharedRequest {
  readonly parts: SharedParts;
  readonly url: URL;
  readonly header: Readonly<Record<string, string>>;
  /** Equal for requests that the origin cannot tell apart: the parts and the caller. */
  readonly key: string;
}

export function sharedRequest(asked: AskedFor): SharedRequest {
  const { kind, url, header, method = 'GET', content, more = [], dependsOn } = asked;
  const place = content ? [...content, url.search] : [url.href];
  const parts = sharedParts(kind, method, ...place, ...more, fieldsOf(header, dependsOn));
  return { parts, url, header, key: JSON.stringify([...parts, callerKey(header)]) };
}

/** A question that no request is behind. */
export function sharedParts(...parts: readonly string[]): SharedParts {
  return parts as SharedParts;
}

function fieldsOf(header: AskedFor['header'], dependsOn: DependsOn): string {
  if (dependsOn === 'rights') return '';
  const fields = Object.entries(dependsOn === 'request' ? header : withoutCredentials(header));
  const chosen = fields.filter(([name]) => {
    if (dependsOn === 'answer') return aboutForm.has(name) || aboutBody.has(name);
    return dependsOn === 'request' || !(aboutBody.has(name) || aboutPassage.has(name));
  });
  return JSON.stringify(chosen.sort(([a], [b]) => (a < b ? -1 : 1)));
}
