/** Fail-over between services that are interchangeable. */
import { toDragonflyError } from '../core/errors.ts';

export interface Attempts<M> {
  readonly signal: AbortSignal | undefined;
  /** This one was UNAVAILABLE; the next is tried. */
  readonly onFailure?: (member: M, error: unknown) => void;
  /** What to throw when none is left; `cause` is the last failure, undefined when there was nobody to try. */
  readonly noneLeft: (cause: unknown) => Error;
}

/** The result at the first that is available, in order. Errors other than UNAVAILABLE, and an abort, end the search. */
export async function firstAvailable<M, T>(
  members: Iterable<M>,
  attempt: (member: M) => Promise<T>,
  { signal, onFailure, noneLeft }: Attempts<M>,
): Promise<T> {
  let last: unknown;
  for (const member of members) {
    try {
      return await attempt(member);
    } catch (error) {
      signal?.throwIfAborted();
      if (toDragonflyError(error).code !== 'UNAVAILABLE') throw error;
      onFailure?.(member, error);
      last = error;
    }
  }
  throw noneLeft(last);
}
