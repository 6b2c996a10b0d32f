/**
 * Links between hosts of different sites: one for every ordered pair, whose capacity changes at intervals. It depends
 * on the pair and the time alone, so that all arms of a comparison meet the same conditions.
 */
import { seededRandom } from '../swarm/shared/random.ts';
import type { VirtualClock } from './clock.ts';
import { type FluidNetwork, Link } from './fluid-network.ts';
import type { Sites } from './options.ts';

export class Paths {
  readonly #sites: Sites;
  readonly #seed: number;
  readonly #clock: VirtualClock;
  readonly #network: FluidNetwork;
  /** Those in use. */
  readonly #links = new Map<number, Link>();

  constructor(sites: Sites, seed: number, clock: VirtualClock, network: FluidNetwork) {
    this.#sites = sites;
    this.#seed = seed;
    this.#clock = clock;
    this.#network = network;
  }

  between(from: number, to: number): Link {
    const pair = from * 2 ** 20 + to;
    const known = this.#links.get(pair);
    if (known) return known;
    const link = new Link(this.#capacity(pair));
    this.#links.set(pair, link);
    this.#watch(pair, link);
    return link;
  }

  #watch(pair: number, link: Link): void {
    const nextMs = (this.#draw(pair) + 1 - phase(pair)) * this.#sites.changeEveryMs;
    this.#clock.at(nextMs, () => {
      if (link.flows.size === 0) {
        this.#links.delete(pair);
        return;
      }
      this.#network.resize(link, this.#capacity(pair));
      this.#watch(pair, link);
    });
  }

  /** Log-uniform: every order of magnitude between the bounds is equally likely. */
  #capacity(pair: number): number {
    const { leastBytesPerSec, mostBytesPerSec } = this.#sites;
    const chance = seededRandom(hash(this.#seed, pair % 2 ** 20, Math.floor(pair / 2 ** 20), this.#draw(pair)))();
    return leastBytesPerSec * (mostBytesPerSec / leastBytesPerSec) ** chance;
  }

  /** Which of the pair's capacities applies now. */
  #draw(pair: number): number {
    return Math.floor(this.#clock.nowMs / this.#sites.changeEveryMs + phase(pair) + 1e-6);
  }
}

/** How much of the first interval has passed at the start, so that the paths do not all change at once. */
function phase(pair: number): number {
  return hash(pair % 2 ** 20, Math.floor(pair / 2 ** 20)) / 2 ** 32;
}

/** The FNV-1a hash of whole numbers. */
function hash(...numbers: readonly number[]): number {
  let value = 0x811c_9dc5;
  for (const number of numbers)
    for (let shift = 0; shift < 32; shift += 8) value = Math.imul(value ^ ((number >>> shift) & 0xff), 0x0100_0193);
  return value >>> 0;
}
