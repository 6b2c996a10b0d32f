/** Hosts that an open stream holds alive: when the last stream breaks and no other follows soon, the host is dead. */
import { DragonflyError } from '../../core/errors.ts';
import { onAbort, type Closable } from '../../core/process/lifecycle.ts';
import type { CallContext } from '../../rpc/call-context.ts';
import type { HoldHostRequest, HoldHostResponse } from '../../../gen/scheduler/v2/scheduler.ts';
import type { Brain } from '../brain.ts';
import { heldHostGraceMs } from '../limits.ts';
import type { OriginalDaemons } from '../peers/original-daemons.ts';

export class HeldHosts implements Closable {
  readonly #brain: Brain;
  readonly #originals: OriginalDaemons;
  readonly #graceMs: number;
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(brain: Brain, originals: OriginalDaemons, graceMs = heldHostGraceMs) {
    this.#brain = brain;
    this.#originals = originals;
    this.#graceMs = graceMs;
  }

  async *hold({ hostId }: HoldHostRequest, context: CallContext): AsyncGenerator<HoldHostResponse, void, undefined> {
    const known = this.#brain.hosts.get(hostId);
    if (!known) {
      throw new DragonflyError('HOST_UNKNOWN', `host ${hostId} is not announced`, {
        hint: 'Announce the host before holding it.',
      });
    }
    known.holders += 1;
    clearTimeout(this.#timers.get(hostId));
    this.#timers.delete(hostId);
    let wake = (): void => undefined;
    const stop = this.#originals.onChange(() => wake());
    let changed: string[] = [];
    const watching = this.#brain.objects.hold(hostId, (keys) => {
      changed.push(...keys);
      wake();
    });
    using _gone = onAbort(context.signal, () => wake());
    using _draining = onAbort(context.draining, () => wake());
    try {
      for (let told: boolean | undefined; !context.signal.aborted && !context.draining.aborted;) {
        const news = new Promise<void>((resolve) => (wake = resolve));
        const { present } = this.#originals;
        const changedObjects = changed;
        changed = [];
        if (told !== present || changedObjects.length > 0)
          yield { unreachable: known.unreachable, originalDaemons: present, changedObjects };
        else await news;
        told = present;
      }
    } finally {
      stop();
      watching[Symbol.dispose]();
      this.#released(hostId, context.draining.aborted);
    }
  }

  /** A sign of life from a host whose stream broke: its time to come back starts anew. */
  seen(hostId: string): void {
    if (this.#timers.has(hostId)) this.#awaitReturn(hostId);
  }

  [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    return Promise.resolve();
  }

  #released(hostId: string, draining: boolean): void {
    const known = this.#brain.hosts.get(hostId);
    if (!known) return;
    known.holders -= 1;
    if (known.holders > 0 || draining) return;
    this.#awaitReturn(hostId);
  }

  #awaitReturn(hostId: string): void {
    clearTimeout(this.#timers.get(hostId));
    const timer = setTimeout(() => {
      this.#timers.delete(hostId);
      if ((this.#brain.hosts.get(hostId)?.holders ?? 1) > 0) return;
      this.#brain.hostLeft(hostId, 'stream');
    }, this.#graceMs);
    timer.unref();
    this.#timers.set(hostId, timer);
  }
}
