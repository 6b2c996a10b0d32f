/** Which of several contents of one URL a request chooses, by the fields that the origin says it looks at. Pure. */
import type { FlatHeader } from './representation.ts';

/**
 * Who asks is a matter of the proof for each caller, and what is shared is uncoded. The others say who the client is, or from
 * where it comes: origins that name them do so for the header of their answers.
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

/** Empty where the request chooses nothing. @param vary value of the field in the answer */
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
