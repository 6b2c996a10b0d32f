/**
 * How long other nodes may take to answer, and so how long a silence is normal: on loaded machines a healthy process
 * takes seconds, elsewhere a process that is silent that long is dead. Estimated from recent answers, and from this machine's
 * load, since its neighbours are often as busy: without any answers from the load alone, with some much less.
 */
import { availableParallelism, loadavg } from 'node:os';

const halfLifeMs = 20_000;
/** Servers whose answers are remembered; the one heard from least recently goes. */
const serversKept = 32;
/** How much longer an answer takes for each task waiting for a processor. */
const crowdedMs = 200;
const lookAgainMs = 1_000;
/** What was measured says more than the load: beside it the load counts by this share. */
const guessShare = 0.25;

interface Longest {
  readonly tookMs: number;
  readonly atMs: number;
}

export class AnswerPace {
  readonly #load: () => number;
  readonly #servers = new Map<string, Longest>();
  #answeredAtMs = Number.NEGATIVE_INFINITY;
  #crowdMs = 0;
  #lookAtMs = 0;

  /** @param load running and waiting tasks per processor. */
  constructor(load: () => number = () => (loadavg()[0] ?? 0) / availableParallelism()) {
    this.#load = load;
  }

  /** An answer that costs the other side nothing took this long. */
  answered(server: string, tookMs: number): void {
    const atMs = performance.now();
    this.#answeredAtMs = atMs;
    const longest = Math.max(tookMs, fadedMs(this.#servers.get(server), atMs));
    this.#servers.delete(server);
    this.#servers.set(server, { tookMs: longest, atMs });
    const [oldest] = this.#servers.keys();
    if (this.#servers.size > serversKept && oldest !== undefined) this.#servers.delete(oldest);
  }

  /**
   * The longest recent answer; older ones count less and less. The slowest server is left out where there are others: one that is
   * sick must not be the reason for patience with itself.
   */
  get longestMs(): number {
    const nowMs = performance.now();
    const times = Array.from(this.#servers.values(), (longest) => fadedMs(longest, nowMs)).toSorted((a, b) => b - a);
    const isMeasured = nowMs - this.#answeredAtMs < halfLifeMs;
    return Math.max(times[1] ?? times[0] ?? 0, isMeasured ? guessShare * this.crowdMs : this.crowdMs);
  }

  /** The longest recent answer of this server: one that is far away, or always busy, is not dead because others are quicker. */
  ownMs(server: string): number {
    return fadedMs(this.#servers.get(server), performance.now());
  }

  /** How much longer answers take because this machine is crowded. */
  get crowdMs(): number {
    const nowMs = performance.now();
    if (nowMs >= this.#lookAtMs) {
      this.#lookAtMs = nowMs + lookAgainMs;
      this.#crowdMs = crowdedMs * Math.max(0, this.#load() - 1);
    }
    return this.#crowdMs;
  }
}

function fadedMs(longest: Longest | undefined, nowMs: number): number {
  return longest ? longest.tookMs * 2 ** ((longest.atMs - nowMs) / halfLifeMs) : 0;
}
