/** The description of an object in an origin's answer, in the form shared with other nodes. */
import { z } from 'zod';
import type { AnswerHeader } from './answer-header.ts';
import type { Representation } from './representation.ts';

const sharedObject = z.object({
  validator: z.string(),
  lengthBytes: z.int().nonnegative(),
  header: z.record(z.string(), z.union([z.string(), z.array(z.string())])),
});

export type SharedObject = z.output<typeof sharedObject>;

/** Either an object, or an answer that is private to its caller. */
export const sharedFirst = z.union([sharedObject, z.object({ nothing: z.literal(true) })]);

/** Tells others that ask the same not to wait. */
export const nothingToTell = { value: { nothing: true as const }, ttlMs: 0 };

/** Shared only with nodes that wait right now; later callers ask whether it still holds. Undefined for an answer that is private to one caller. */
export function objectToTell({
  representation,
  header,
}: {
  readonly representation: Representation;
  readonly header: AnswerHeader;
}): { readonly value: SharedObject; readonly ttlMs: 0 } | undefined {
  return 'set-cookie' in header ? undefined : { value: { ...representation, header: { ...header } }, ttlMs: 0 };
}
