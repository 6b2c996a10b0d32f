import { daemonLimits } from '../limits.ts';
import type { DownloadContext } from './download-context.ts';

/** Calls once when a download has had nothing to do for as long as it should be patient. */
export class StarvationWatch {
  readonly #onStarved: (patienceMs: number) => void;
  #sinceMs: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(onStarved: (patienceMs: number) => void) {
    this.#onStarved = onStarved;
  }

  /** The download is idle now. The wait counts from the first such call since it was last busy. */
  idle(patienceMs: number): void {
    const nowMs = performance.now();
    this.#sinceMs ??= nowMs;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onStarved(patienceMs), Math.max(0, this.#sinceMs + patienceMs - nowMs));
  }

  busy(): void {
    this.#sinceMs = undefined;
    clearTimeout(this.#timer);
  }
}

/**
 * How long an idle download waits. A connected scheduler may take the schedule timeout; parents that are alive but have
 * nothing new yet are worth a while; without either there is only a short grace, so that a scheduler that restarts does not
 * send every node to the origin.
 */
export function patienceMs(
  { connected, parents }: { readonly connected: boolean; readonly parents: number },
  {
    scheduleTimeoutMs,
    pieceTimeoutMs,
    schedulerKinds,
  }: Pick<DownloadContext, 'scheduleTimeoutMs' | 'pieceTimeoutMs' | 'schedulerKinds'>,
): number {
  if (connected) return scheduleTimeoutMs;
  if (parents > 0) return pieceTimeoutMs;
  switch (schedulerKinds()) {
    case 'none':
      return 0;
    case 'original': // takes its time before its first word
      return scheduleTimeoutMs;
    case 'extended':
      return daemonLimits.starvedMs;
  }
}
