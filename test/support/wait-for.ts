/** Waiting for something another process does, which sends no event. */
import { setTimeout as delay } from 'node:timers/promises';

const pollIntervalMs = 25;

/**
 * Resolves with the first value of `condition` that is neither undefined nor false.
 * Rejects after the deadline with what was waited for and the last error of `condition`, which may throw until then.
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | undefined | false | Promise<T | undefined | false>,
  deadlineMs = 60_000,
): Promise<T> {
  const endMs = performance.now() + deadlineMs;
  let lastError: unknown;
  do {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    await delay(pollIntervalMs);
  } while (performance.now() < endMs);
  throw new Error(`waited ${deadlineMs} ms for ${what}`, lastError === undefined ? undefined : { cause: lastError });
}
