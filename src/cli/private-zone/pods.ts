/** Selects the pods that clients are directed to. No I/O. */
import { z } from 'zod';
import type { Pod } from '../kubernetes/pods.ts';

export const nodeSchema = z.object({
  metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
});

/** `key=value`, or `key` alone for any value of that label. */
export type Selector = Readonly<Record<string, string | undefined>>;

export function parseSelector(text: string): Selector {
  return Object.fromEntries(
    text
      .split(',')
      .filter((part) => part !== '')
      .map((part) => {
        const at = part.indexOf('=');
        return at < 0 ? [part, undefined] : [part.slice(0, at), part.slice(at + 1)];
      }),
  );
}

export function matches(selector: Selector, found: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) =>
    value === undefined ? Object.hasOwn(found, key) : found[key] === value,
  );
}

/**
 * Returns at most the given number of addresses. Previously chosen ones stay as long as possible, because clients keep
 * connections to them. @param pods that may be chosen.
 */
export function chosenAddresses(pods: readonly Pod[], before: readonly string[], max: number): string[] {
  const possible = pods.toSorted((one, other) => (one.metadata.uid < other.metadata.uid ? -1 : 1));
  const addresses = [...new Set(possible.map(({ status }) => status.podIP))];
  const stay = before.filter((address) => addresses.includes(address));
  return [...stay, ...addresses.filter((address) => !stay.includes(address))].slice(0, max).sort();
}
