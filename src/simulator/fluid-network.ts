/**
 * Models bytes as a fluid over links of fixed capacity. Flows on the same link share it max-min fairly: a flow gets
 * more than an equal share only when others cannot use theirs, because they are slower elsewhere. Many TCP connections
 * on one line come to the same.
 *
 * Shares are updated locally: when a flow starts or ends, its links are filled anew, and a link whose level moved by
 * more than `tolerance` passes the change on to the links that its flows cross.
 */
import assert from 'node:assert/strict';
import type { VirtualClock } from './clock.ts';

const tolerance = 0.01;
/** Links that are refilled for one change; the next change takes up what remains. */
const refillsPerChange = 200;

export class Link {
  capacityBytesPerMs: number;
  readonly flows = new Set<Flow>();
  /** The rate of a flow that no other link holds back. */
  level: number;
  carriedBytes = 0;
  dirty = false;
  /** The sum of the flows' rates; undefined when one of them has changed. */
  #rateBytesPerSec: number | undefined;

  constructor(capacityBytesPerSec: number) {
    this.capacityBytesPerMs = capacityBytesPerSec / 1000;
    this.level = this.capacityBytesPerMs;
  }

  get rateBytesPerSec(): number {
    if (this.#rateBytesPerSec !== undefined) return this.#rateBytesPerSec;
    let sum = 0;
    for (const flow of this.flows) sum += flow.rate;
    this.#rateBytesPerSec = sum * 1000;
    return this.#rateBytesPerSec;
  }

  rateChanged(): void {
    this.#rateBytesPerSec = undefined;
  }
}

export class Flow {
  readonly links: readonly Link[];
  readonly done: () => void;
  readonly bytes: number;
  remainingBytes: number;
  rate = 0;
  updatedMs: number;
  /** When the queued wake-up fires. If the true end is later, that is found out then. */
  wakeMs = Number.POSITIVE_INFINITY;
  ended = false;

  constructor(links: readonly Link[], bytes: number, nowMs: number, done: () => void) {
    this.links = links;
    this.bytes = bytes;
    this.remainingBytes = bytes;
    this.updatedMs = nowMs;
    this.done = done;
  }
}

export class FluidNetwork {
  readonly #clock: VirtualClock;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  start(links: readonly Link[], bytes: number, done: () => void): Flow {
    assert(bytes > 0 && links.length > 0, 'a flow needs bytes and links');
    const flow = new Flow(links, bytes, this.#clock.nowMs, done);
    for (const link of links) link.flows.add(flow);
    this.#refill(links);
    return flow;
  }

  resize(link: Link, capacityBytesPerSec: number): void {
    link.capacityBytesPerMs = capacityBytesPerSec / 1000;
    this.#refill([link]);
  }

  /** Ends the flow early without calling `done`. Bytes sent so far stay counted on the links. */
  cancel(flow: Flow): void {
    if (flow.ended) return;
    this.#advance(flow);
    this.#remove(flow);
  }

  #remove(flow: Flow): void {
    flow.ended = true;
    for (const link of flow.links) {
      link.flows.delete(flow);
      link.rateChanged();
    }
    this.#refill(flow.links);
  }

  #advance(flow: Flow): void {
    const { nowMs } = this.#clock;
    const sent = Math.min(flow.remainingBytes, flow.rate * (nowMs - flow.updatedMs));
    flow.updatedMs = nowMs;
    if (sent <= 0) return;
    flow.remainingBytes -= sent;
    for (const link of flow.links) link.carriedBytes += sent;
  }

  #refill(changed: readonly Link[]): void {
    const queue: Link[] = [...changed];
    for (const link of queue) link.dirty = true;
    let refills = 0;
    for (let place = 0; place < queue.length; place += 1) {
      const link = queue[place];
      if (!link) break;
      link.dirty = false;
      refills += 1;
      const level = waterLevel(link);
      const moved = Math.abs(level - link.level) > tolerance * link.level;
      link.level = level;
      for (const flow of link.flows) {
        if (!this.#setRate(flow) && !moved) continue;
        if (refills + (queue.length - place) >= refillsPerChange) continue;
        for (const other of flow.links) {
          if (other === link || other.dirty) continue;
          other.dirty = true;
          queue.push(other);
        }
      }
    }
  }

  /** True when the rate changed noticeably. */
  #setRate(flow: Flow): boolean {
    let rate = Number.POSITIVE_INFINITY;
    for (const link of flow.links) rate = Math.min(rate, link.level);
    const old = flow.rate;
    if (rate === old) return false;
    this.#advance(flow);
    flow.rate = rate;
    for (const link of flow.links) link.rateChanged();
    const endMs = flow.updatedMs + flow.remainingBytes / rate;
    if (endMs < flow.wakeMs - 1e-9) this.#wake(flow, endMs);
    return Math.abs(rate - old) > tolerance * old;
  }

  #wake(flow: Flow, atMs: number): void {
    flow.wakeMs = atMs;
    this.#clock.at(atMs, () => {
      if (flow.ended || flow.wakeMs !== atMs) return;
      this.#advance(flow);
      if (flow.remainingBytes > 1e-3) {
        this.#wake(flow, flow.updatedMs + flow.remainingBytes / flow.rate);
        return;
      }
      for (const link of flow.links) link.carriedBytes += flow.remainingBytes;
      this.#remove(flow);
      flow.done();
    });
  }
}

/** The level at which the link is full, when every flow takes the lesser of this level and what its other links allow. */
function waterLevel(link: Link): number {
  const count = link.flows.size;
  if (count === 0) return link.capacityBytesPerMs;
  if (count === 1) return link.capacityBytesPerMs;
  const bounds: number[] = [];
  for (const flow of link.flows) {
    let bound = Number.POSITIVE_INFINITY;
    for (const other of flow.links) if (other !== link && other.level < bound) bound = other.level;
    bounds.push(bound);
  }
  bounds.sort((a, b) => a - b);
  let left = link.capacityBytesPerMs;
  for (let place = 0; place < count; place += 1) {
    const share = left / (count - place);
    const bound = bounds[place] ?? 0;
    if (bound >= share) return share;
    left -= bound;
  }
  // no flow is limited here: another byte would go to any flow that can take it
  return Math.max(left, (bounds[count - 1] ?? 0) + left);
}
