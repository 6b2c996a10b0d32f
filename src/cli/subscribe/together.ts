/** Works that succeed or fail as one: the first failure ends the others, and nothing goes on behind the caller's back. */
import { toDragonflyError } from '../../core/errors.ts';

/** Resolves or rejects when all have ended; with the signal's reason if that has aborted, else with the first failure. */
export async function together(
  signal: AbortSignal,
  works: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const controller = new AbortController();
  const either = AbortSignal.any([signal, controller.signal]);
  const runs = works.map((work) => work(either).catch((error: unknown) => controller.abort(error)));
  await Promise.all(runs);
  signal.throwIfAborted();
  if (controller.signal.aborted) throw toDragonflyError(controller.signal.reason);
}
