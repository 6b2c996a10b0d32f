/** Which of several contents of one URL a request selects, by the fields that the origin varies by. Pure. */
import { flat, type AnswerHeader } from './answer-header.ts';
import type { FlatHeader } from './representation.ts';

/**
 * Fields that are ignored: credentials are a matter of the proof for each caller, and shared content is not encoded.
 * The others describe the client or where it comes from; origins that vary by them do so for the header of their
 * answers.
 */
const chooseNothing: ReadonlySet<string> = new Set([
  '*',
  'accept-encoding',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'cookie',
  'origin',
  'range',
  'referer',
  'user-agent',
]);

/** Empty where the request selects nothing. @param vary value of the answer's field */
export function variantOf(vary: string | undefined, requestHeader: FlatHeader): string {
  const names = (vary ?? '')
    .toLowerCase()
    .split(',')
    .map((name) => name.trim());
  const chosen = names.flatMap((name) => {
    const value = requestHeader[name];
    if (name === '' || chooseNothing.has(name) || value === undefined || value.trim() === '*/*') return [];
    return [
      `${name}: ${value
        .split(',')
        .map((word) => word.trim())
        .join(',')}`,
    ];
  });
  return [...new Set(chosen)].sort().join('\n');
}

/** An answer is all that its URL names, not one of several that the origin chooses between. */
export function isOfUrl(requestHeader: FlatHeader, answer: AnswerHeader | undefined): boolean {
  return answer !== undefined && variantOf(flat(answer)['vary'], requestHeader) === '';
}
