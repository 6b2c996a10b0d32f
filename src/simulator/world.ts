/** What all simulated daemons share: time, randomness, the content, the links between them, and the counters. */
import { defaultPieceLength, pieceLayout, pieceSpan, type PieceLayout } from '../core/piece-layout.ts';
import type { TaskLayout } from '../swarm/shared/events.ts';
import type { PieceOrder } from '../swarm/peer/parent-book.ts';
import type { PickerLimits } from '../swarm/peer/picker-limits.ts';
import { PieceSet } from '../swarm/shared/piece-set.ts';
import { type Random, seededRandom } from '../swarm/shared/random.ts';
import { VirtualClock } from './clock.ts';
import { FluidNetwork, Link } from './fluid-network.ts';
import type { SimulationOptions } from './options.ts';
import { Paths } from './paths.ts';

/** The location of a host, and its links. */
export interface Place {
  readonly index: number;
  readonly zone: number;
  readonly up: Link;
  readonly down: Link;
}

export class World {
  readonly options: SimulationOptions;
  readonly clock = new VirtualClock();
  readonly network = new FluidNetwork(this.clock);
  readonly random: Random;
  readonly betweenZones: Link | undefined;
  readonly layout: TaskLayout;
  /** By host index: announcements before this time have no effect there. One array, because it is read more often than anything else. */
  readonly deafUntilMs: Float64Array;
  readonly pickerSetup: { readonly order: PieceOrder; readonly limits: Partial<PickerLimits> };
  originBytes = 0;
  originRequests = 0;
  /** Bytes fetched although a live, honest daemon held the piece. */
  avoidableOriginBytes = 0;
  duplicateBytes = 0;
  /** Hosts that the scheduler has found to lie. */
  readonly struckOff = new Set<string>();
  /** Children that received corrupt pieces and refused them. */
  readonly liedTo = new Set<string>();
  originIsUp = true;
  /** Peers that have neither finished nor failed for good. */
  pending: number;
  readonly #originLink: Link;
  readonly #paths: Paths | undefined;
  readonly #processors: readonly Link[];
  readonly #pieces: PieceLayout;
  /** By piece: the hosts that have it on disk. */
  readonly #holders: readonly PieceSet[];
  /** Hosts that are up and serve honestly. */
  readonly #serving = new PieceSet();

  constructor(options: SimulationOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    const pieceLengthBytes = options.pieceLengthBytes ?? defaultPieceLength(options.contentBytes);
    this.layout = { contentLengthBytes: options.contentBytes, pieceLengthBytes };
    this.#pieces = pieceLayout(options.contentBytes, pieceLengthBytes);
    this.#originLink = new Link(options.originUpBytesPerSec);
    this.betweenZones = options.zones ? new Link(options.zones.betweenBytesPerSec) : undefined;
    const { processorsBytesPerSec } = options;
    this.#processors = processorsBytesPerSec === undefined ? [] : [new Link(processorsBytesPerSec)];
    this.#paths = options.sites && new Paths(options.sites, options.seed, this.clock, this.network);
    // the original requests eight pieces at once, in order, whether its parents are near or far
    this.pickerSetup =
      options.arm === 'ours'
        ? { order: 'rarest', limits: options.picker ?? {} }
        : {
            order: 'ascending',
            limits: {
              maxRunning: 8,
              maxWaiting: 8,
              answerMs: options.deadlineMs,
              hedgeMinMs: options.deadlineMs,
              nearSpan: 1,
              ...options.picker,
            },
          };
    const hosts = options.peers + options.seeds;
    this.#holders = Array.from({ length: this.#pieces.pieceCount }, () => new PieceSet(hosts));
    this.deafUntilMs = new Float64Array(hosts);
    this.pending = options.peers;
  }

  get nowMs(): number {
    return this.clock.nowMs;
  }

  after(delayMs: number, action: () => void): void {
    this.clock.after(delayMs, action);
  }

  at(timeMs: number, action: () => void): void {
    this.clock.at(timeMs, action);
  }

  loses(): boolean {
    const share = this.options.faults?.lossShare ?? 0;
    return share > 0 && this.random() < share;
  }

  // ── content ────────────────────────────────────────────────────────────────────────────────────────────────────

  get pieceCount(): number {
    return this.#pieces.pieceCount;
  }

  pieceBytes(piece: number): number {
    return pieceSpan(this.#pieces, piece).length;
  }

  stored(index: number, piece: number): void {
    this.#holders[piece]?.add(index);
  }

  /** @param parentId the peer that gave it; undefined for the origin. */
  landed(index: number, parentId: string | undefined): void {
    const { onLanded } = this.options;
    if (!onLanded) return;
    onLanded({ child: index, parent: parentId === undefined ? undefined : indexOf(parentId), atMs: this.nowMs });
  }

  /** Equal to the daemon's own `held`, but faster when many daemons are asked about the same piece. */
  holds(index: number, piece: number): boolean {
    return this.#holders[piece]?.has(index) === true;
  }

  /** An honest daemon begins to serve, or stops. */
  serves(index: number, serving: boolean): void {
    if (serving) this.#serving.add(index);
    else this.#serving.delete(index);
  }

  isHeldElsewhere(index: number, piece: number): boolean {
    return this.#holders[piece]?.common(this.#serving).some((holder) => holder !== index) === true;
  }

  hears(index: number): boolean {
    return (this.deafUntilMs[index] ?? 0) <= this.nowMs;
  }

  // ── links ──────────────────────────────────────────────────────────────────────────────────────────────────────

  latencyMs(from: Place, to: Place): number {
    const { zones, sites, latencyMs } = this.options;
    return from.zone === to.zone ? latencyMs : (zones ?? sites ?? { latencyMs }).latencyMs;
  }

  originPath(to: Place): Link[] {
    return [this.#originLink, to.down, ...this.#processors];
  }

  path(from: Place, to: Place): Link[] {
    const path = [from.up, to.down, ...this.#processors];
    if (from.zone === to.zone) return path;
    if (this.betweenZones) path.push(this.betweenZones);
    if (this.#paths) path.push(this.#paths.between(from.index, to.index));
    return path;
  }
}

/** `peer-12#1` is host 12 in its first life. */
function indexOf(peerId: string): number {
  return Number(/-(\d+)#/.exec(peerId)?.[1]);
}
