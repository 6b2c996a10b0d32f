/** Joins two connections: copies bytes both ways until both ends have finished, one breaks, or nothing moves for long. */
import type { Socket } from 'node:net';
import { onAbort } from '../../../core/process/lifecycle.ts';

export function joinSockets(
  one: Socket,
  other: Socket,
  { idleMs, signal }: { readonly idleMs: number; readonly signal?: AbortSignal },
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const abort = (): void => {
    one.destroy();
    other.destroy();
  };
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.setTimeout(idleMs, () => from.destroy());
    from.on('error', () => undefined); // 'close' follows
    from.once('close', () => {
      if (!from.readableEnded) to.destroy();
      if (one.destroyed && other.destroyed) resolve();
    });
    from.pipe(to);
  }
  const aborting = onAbort(signal, abort);
  return promise.finally(() => aborting[Symbol.dispose]());
}
