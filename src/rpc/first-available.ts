/** Fail-over between interchangeable services. */
import { toDragonflyError } from '../core/errors.ts';

export interface Attempts<M> {
  readonly signal: AbortSignal | undefined;
  /** Called when a member was UNAVAILABLE and the next is tried. */
  readonly onFailure?: (member: M, error: unknown) => void;
  /** The error when no member is left; `cause` is the last failure, undefined without members, `failures` all of them. */
  readonly noneLeft: (cause: unknown, failures: readonly unknown[]) => Error;
}

/** The result of the first available member, in order. Errors other than UNAVAILABLE, and an abort, end the search. */
export async function firstAvailable<M, T>(
  members: Iterable<M>,
  attempt: (member: M) => Promise<T>,
  { signal, onFailure, noneLeft }: Attempts<M>,
): Promise<T> {
  const failures: unknown[] = [];
  for (const member of members) {
    try {
      return await attempt(member);
    } catch (error) {
      signal?.throwIfAborted();
      if (toDragonflyError(error).code !== 'UNAVAILABLE') throw error;
      onFailure?.(member, error);
      failures.push(error);
    }
  }
  throw noneLeft(failures.at(-1), failures);
}
