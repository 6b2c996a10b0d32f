/** How much the kernel gathers of a body before it wakes the process. */
import { maxWakeBytes, minWakeBytes, wakeMs } from './limits.ts';

/**
 * As much as comes in `wakeMs`, in powers of two, so that it changes seldom; never more than is due, or nothing would ever wake.
 * 1, with every packet, where that is little.
 */
export function wakeBytes(dueBytes: number, bytesPerMs: number): number {
  const most = Math.min(dueBytes, bytesPerMs * wakeMs, maxWakeBytes);
  return most < minWakeBytes ? 1 : 2 ** Math.floor(Math.log2(most));
}
