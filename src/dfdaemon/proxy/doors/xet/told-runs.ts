/**
 * Which runs of a xorb nodes of the cluster have fetched. Knowing the name of a run gives access to nothing: its bytes
 * are verified, and access was decided before. Nothing is shared where nodes do not authenticate each other.
 */
import { z } from 'zod';
import type { SharedProofs, SharedSubject } from '../../proof/shared-proofs.ts';
import { sharedParts } from '../../proof/shared-request.ts';
import { lengthOf, type XorbRange } from './reconstruction.ts';
import { holds, nameOf, rangeFrom } from './xorb-index.ts';

const schema = z.array(z.string().max(200)).max(256);
const maxTold = 64;
/** The list may grow at any time, so it is never reused. */
const ttlMs = 1;
/** A run that mostly contains other chunks is not fetched for a part of it. */
const mostTimesLonger = 4;

export class ToldRuns {
  readonly #shared: SharedProofs;
  readonly #hub: URL;

  /** @param hub whose chunk store it is about */
  constructor(shared: SharedProofs, hub: URL) {
    this.#shared = shared;
    this.#hub = hub;
  }

  /** Longer runs that other nodes may hold. */
  async around(range: XorbRange): Promise<XorbRange[]> {
    const told = (await this.#shared.last(this.#subject(range))) ?? [];
    return told
      .map(rangeFrom)
      .filter((each) => each !== undefined)
      .filter((each) => each.xorb === range.xorb && nameOf(each) !== nameOf(range) && holds(each, range))
      .filter((each) => lengthOf(each) <= mostTimesLonger * lengthOf(range))
      .toSorted((a, b) => lengthOf(a) - lengthOf(b));
  }

  /** Never fails. */
  async add(range: XorbRange): Promise<void> {
    const subject = this.#subject(range);
    const told = (await this.#shared.last(subject)) ?? [];
    const name = nameOf(range);
    if (!told.includes(name)) this.#shared.tell(subject, { value: [...told, name].slice(-maxTold), ttlMs });
  }

  #subject({ xorb }: XorbRange): SharedSubject<string[]> {
    return { byDigest: true, parts: sharedParts('xorb', xorb), url: this.#hub, header: {}, schema };
  }
}
