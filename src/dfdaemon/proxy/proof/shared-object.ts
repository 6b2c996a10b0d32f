/** The description of an object in an origin's answer, in the form shared with other nodes. */
import { z } from 'zod';
import type { AnswerHeader } from './answer-header.ts';
import { withoutCredentials } from './caller.ts';
import { preconditionNames } from './preconditions.ts';
import type { Representation } from './representation.ts';

const sharedObject = z.object({
  validator: z.string(),
  lengthBytes: z.int().nonnegative(),
  header: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
});

export type SharedObject = z.output<typeof sharedObject>;

/** An answer that is its caller's own, or names an object. */
export const sharedFirst = z.union([sharedObject, z.object({ nothing: z.literal(true) })]);

/** Nobody need wait for another who asks the same. */
export const nothingToTell = { value: { nothing: true as const }, ttlMs: 0 };

/** For those who wait right now: whoever comes later asks whether it is still the same. Undefined for what is one caller's own. */
export function objectToTell({
  representation,
  header,
}: {
  readonly representation: Representation;
  readonly header: AnswerHeader;
}): { readonly value: SharedObject; readonly ttlMs: 0 } | undefined {
  return 'set-cookie' in header ? undefined : { value: { ...representation, header: { ...header } }, ttlMs: 0 };
}

/** Request fields that do not choose another object: they differ from request to request, or name a range or a stored version. */
const apart = new Set<string>([
  ...preconditionNames,
  'range',
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

/** Equal for requests that an origin answers with the same object, if it does not tell their callers apart. */
export function whatIsAsked(header: Readonly<Record<string, string>>): string {
  return JSON.stringify(
    Object.entries(withoutCredentials(header))
      .filter(([name]) => !apart.has(name))
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
