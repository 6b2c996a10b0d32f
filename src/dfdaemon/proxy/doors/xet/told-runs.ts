/**
 * Which runs of a xorb nodes of the cluster have fetched. A name of a run opens nothing: its bytes are compared with what they
 * should be, and who may have them has been decided before. Nothing is told where nodes do not know each other.
 */
import { z } from 'zod';
import type { SharedProofs, SharedSubject } from '../../proof/shared-proofs.ts';
import { lengthOf, type XorbRange } from './reconstruction.ts';
import { holds, nameOf, rangeFrom } from './xorb-index.ts';

const schema = z.array(z.string().max(200)).max(256);
const maxTold = 64;
/** It is added to at any time. */
const ttlMs = 1;
/** A run that holds much else is not fetched for a part of it. */
const mostTimesLonger = 4;

export class ToldRuns {
  readonly #shared: SharedProofs;
  readonly #hub: URL;

  /** @param hub whose chunk store it is about */
  constructor(shared: SharedProofs, hub: URL) {
    this.#shared = shared;
    this.#hub = hub;
  }

  /** Longer runs that somebody may hold. */
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
    return { byDigest: true, parts: ['xorb', xorb], url: this.#hub, header: {}, schema };
  }
}
