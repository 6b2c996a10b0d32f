/** Everything a simulated daemon can reach: the clock, the network, the origin, and the scheduler (a real Swarm). */
import { defaultPieceLength, pieceLayout, pieceSpan, type PieceLayout } from '../core/piece-layout.ts';
import { DragonflyError } from '../core/errors.ts';
import type { Decision } from '../swarm/decisions.ts';
import { allFeatures, type HostInfo, type TaskLayout } from '../swarm/events.ts';
import type { PieceOrder } from '../swarm/parent-book.ts';
import type { PickerLimits } from '../swarm/picker-limits.ts';
import { PieceSet } from '../swarm/piece-set.ts';
import { type Random, seededRandom } from '../swarm/random.ts';
import { Swarm } from '../swarm/swarm.ts';
import { VirtualClock } from './clock.ts';
import { FluidNetwork, Link } from './fluid-network.ts';
import type { SimulationOptions } from './options.ts';
import { Paths } from './paths.ts';
import { SimulatedDaemon } from './simulated-daemon.ts';

/** Of the release that each arm stands for: one parent until 2.0.2, several from 2.0.3. */
const evaluatorOf = { ours: 'measured', dag: 'v2.1.28', tree: 'v2.0.2' } as const;
const reconnectJitterMs = 500;
/** Keep-alive of connections: a silent host is noticed after this. */
const silenceMs = 5000;

export class World {
  readonly options: SimulationOptions;
  readonly clock = new VirtualClock();
  readonly network = new FluidNetwork(this.clock);
  readonly random: Random;
  readonly originLink: Link;
  readonly betweenZones: Link | undefined;
  readonly layout: TaskLayout;
  readonly daemons: SimulatedDaemon[] = [];
  /** By the daemon's index: announcements before this time lead to nothing there. Kept together as it is asked most often of all. */
  readonly deafUntilMs: Float64Array;
  readonly pickerSetup: { readonly order: PieceOrder; readonly limits: Partial<PickerLimits> };
  swarm: Swarm;
  originBytes = 0;
  originRequests = 0;
  /** Fetched although a live, honest, announced daemon held the piece. */
  avoidableOriginBytes = 0;
  duplicateBytes = 0;
  originIsUp = true;
  readonly departed = new Set<SimulatedDaemon>();
  onEvent: (() => void) | undefined;
  readonly #paths: Paths | undefined;
  readonly #processors: readonly Link[];
  #pieces: PieceLayout;
  readonly #holders: readonly PieceSet[];
  #byPeerId = new Map<string, SimulatedDaemon>();
  #pending = 0;
  #tickMs = Number.POSITIVE_INFINITY;

  constructor(options: SimulationOptions) {
    this.options = options;
    this.random = seededRandom(options.seed);
    const pieceLengthBytes = options.pieceLengthBytes ?? defaultPieceLength(options.contentBytes);
    this.layout = { contentLengthBytes: options.contentBytes, pieceLengthBytes };
    this.#pieces = pieceLayout(options.contentBytes, pieceLengthBytes);
    this.originLink = new Link(options.originUpBytesPerSec);
    this.betweenZones = options.zones ? new Link(options.zones.betweenBytesPerSec) : undefined;
    const { processorsBytesPerSec } = options;
    this.#processors = processorsBytesPerSec === undefined ? [] : [new Link(processorsBytesPerSec)];
    this.#paths = options.sites && new Paths(options.sites, options.seed, this.clock, this.network);
    // the original asks for eight pieces at once, in order
    this.pickerSetup =
      options.arm === 'ours'
        ? { order: 'rarest', limits: options.picker ?? {} }
        : {
            order: 'ascending',
            limits: { maxWaiting: 8, answerMs: options.deadlineMs, hedgeMinMs: options.deadlineMs, ...options.picker },
          };
    this.swarm = this.newSwarm();
    const hosts = options.peers + options.seeds;
    this.#holders = Array.from({ length: this.#pieces.pieceCount }, () => new PieceSet(hosts));
    this.deafUntilMs = new Float64Array(hosts);
    const { faults } = options;
    const whole = 1 + (options.headShare ?? 0);
    for (let index = 0; index < options.peers + options.seeds; index += 1) {
      const isSeed = index < options.seeds;
      const hostClass = isSeed ? options.seedPeer : options.peer;
      const slow = !isSeed && this.random() < (faults?.slowShare ?? 0);
      this.daemons.push(
        new SimulatedDaemon(this, {
          index,
          isSeed,
          zone: index % (options.zones ?? options.sites ?? { count: 1 }).count,
          up: new Link(hostClass.upBytesPerSec / (slow ? 20 : 1) / whole),
          down: new Link(hostClass.downBytesPerSec / whole),
          loadLimit: hostClass.loadLimit,
          slow,
          malicious: !isSeed && this.random() < (faults?.maliciousShare ?? 0),
        }),
      );
    }
    this.#pending = options.peers;
  }

  get nowMs(): number {
    return this.clock.nowMs;
  }

  get pieceCount(): number {
    return this.#pieces.pieceCount;
  }

  /** Peers that have neither finished nor failed for good. */
  get pending(): number {
    return this.#pending;
  }

  /** The daemon has a piece on its disk. */
  stored(index: number, piece: number): void {
    this.#holders[piece]?.add(index);
  }

  /** As the daemon's own `held` says; quicker when many are asked about the same piece. */
  holds(index: number, piece: number): boolean {
    return this.#holders[piece]?.has(index) === true;
  }

  hears(index: number): boolean {
    return (this.deafUntilMs[index] ?? 0) <= this.nowMs;
  }

  isHeldElsewhere(asking: SimulatedDaemon, piece: number): boolean {
    return this.daemons.some(
      (daemon) => daemon !== asking && daemon.alive && !daemon.setup.malicious && daemon.held.has(piece),
    );
  }

  pieceBytes(piece: number): number {
    return pieceSpan(this.#pieces, piece).length;
  }

  after(delayMs: number, action: () => void): void {
    this.clock.after(delayMs, action);
  }

  at(timeMs: number, action: () => void): void {
    this.clock.at(timeMs, action);
  }

  latencyMs(from: SimulatedDaemon, to: SimulatedDaemon): number {
    const { zones, sites, latencyMs } = this.options;
    return from.setup.zone === to.setup.zone ? latencyMs : (zones ?? sites ?? { latencyMs }).latencyMs;
  }

  originPath(to: SimulatedDaemon): Link[] {
    return [this.originLink, to.setup.down, ...this.#processors];
  }

  path(from: SimulatedDaemon, to: SimulatedDaemon): Link[] {
    const path = [from.setup.up, to.setup.down, ...this.#processors];
    if (from.setup.zone === to.setup.zone) return path;
    if (this.betweenZones) path.push(this.betweenZones);
    if (this.#paths) path.push(this.#paths.between(from.setup.index, to.setup.index));
    return path;
  }

  loses(): boolean {
    const share = this.options.faults?.lossShare ?? 0;
    return share > 0 && this.random() < share;
  }

  daemonOf(peerId: string): SimulatedDaemon | undefined {
    return this.#byPeerId.get(peerId);
  }

  hostInfo(daemon: SimulatedDaemon): HostInfo {
    return {
      hostId: daemon.hostId,
      type: daemon.setup.isSeed ? 'seed' : 'normal',
      idc: this.options.zones || this.options.sites ? `zone-${daemon.setup.zone}` : '',
      location: '',
      loadLimit: daemon.setup.loadLimit,
      maxTxBitsPerSec: daemon.setup.up.capacityBytesPerMs * 8000,
      disableShared: false,
      announceIntervalMs: 300_000,
    };
  }

  /** After a scheduler restart: a complete daemon tells what it holds. */
  announceHeld(daemon: SimulatedDaemon): void {
    this.toScheduler(daemon, (swarm, nowMs) => {
      swarm.announceHost(this.hostInfo(daemon), nowMs);
      return swarm.announceHeld(
        daemon.hostId,
        [
          {
            taskId: 't',
            peerId: daemon.peerId,
            url: 'http://origin/object',
            layout: this.layout,
            pieces: daemon.held.clone(),
          },
        ],
        nowMs,
      );
    });
  }

  register(daemon: SimulatedDaemon, knownLayout: TaskLayout | undefined, held: PieceSet): void {
    this.#byPeerId.set(daemon.peerId, daemon);
    daemon.registered = true;
    const { peerId } = daemon;
    this.toScheduler(daemon, (swarm, nowMs) => {
      const announced = swarm.announceHost(this.hostInfo(daemon), nowMs);
      const registered = swarm.registerPeer(
        {
          peerId,
          taskId: 't',
          hostId: daemon.hostId,
          url: 'http://origin/object',
          priority: 0,
          needBackToSource: daemon.setup.isSeed,
          disableBackToSource: false,
          knownLayout: this.options.arm === 'ours' ? knownLayout : this.layout,
          heldPieces: held.clone(),
          features: allFeatures,
        },
        nowMs,
      );
      return [...announced, ...registered];
    });
  }

  /** Sends one event over the wire to the scheduler and its decisions back to the daemons they are for. */
  toScheduler(daemon: SimulatedDaemon, event: (swarm: Swarm, nowMs: number) => Decision[]): void {
    const { life } = daemon;
    this.after(this.options.latencyMs, () => {
      if (daemon.life !== life && daemon.alive) return;
      this.apply(() => event(this.swarm, this.nowMs));
    });
  }

  /** Applies an event. What a restarted scheduler does not know any more is answered with an error, as over the wire. */
  apply(event: () => Decision[]): void {
    try {
      this.deliver(event());
    } catch (error) {
      if (!(error instanceof DragonflyError) || error.code !== 'NOT_FOUND') throw error;
    }
    this.onEvent?.();
    this.#scheduleTick();
  }

  deliver(decisions: readonly Decision[]): void {
    if (decisions.length === 0) return;
    this.after(this.options.latencyMs, () => {
      for (const decision of decisions) {
        if (decision.kind === 'trigger-seed') this.#triggerSeed(decision.hostId);
        const daemon = this.daemonOf(decision.peerId);
        if (daemon?.alive === true && daemon.peerId === decision.peerId) daemon.decide(decision);
      }
    });
  }

  ended(daemon: SimulatedDaemon): void {
    if (!daemon.setup.isSeed) this.#pending -= 1;
  }

  newSwarm(): Swarm {
    const { arm, evaluator, limits } = this.options;
    return new Swarm({
      random: this.random,
      mode: arm === 'ours' ? 'swarm' : arm,
      evaluator: evaluator ?? evaluatorOf[arm],
      limits: limits ?? {},
      // the first scheduler of a run has been up for long
      startedAtMs: this.nowMs === 0 ? Number.NEGATIVE_INFINITY : this.nowMs,
    });
  }

  /** It never comes back: nobody waits for it. */
  gone(daemon: SimulatedDaemon): void {
    this.departed.add(daemon);
    this.ended(daemon);
  }

  /** All the scheduler knew is lost; daemons notice the broken stream and come back with what they hold, jittered. */
  restartScheduler(): void {
    this.swarm = this.newSwarm();
    this.#tickMs = Number.POSITIVE_INFINITY;
    for (const daemon of this.daemons) this.after(this.random() * reconnectJitterMs, () => daemon.schedulerCameBack());
  }

  /** The stream of a dead daemon breaks: at once when the process died, after the keep-alive when the host fell silent. */
  streamBroke(peerId: string, silent: boolean): void {
    this.after(silent ? silenceMs : this.options.latencyMs, () =>
      this.apply(() => this.swarm.peerLeft(peerId, this.nowMs)),
    );
  }

  #triggerSeed(hostId: string): void {
    const daemon = this.daemons.find((one) => one.hostId === hostId);
    if (daemon?.alive === true) daemon.register();
    else this.apply(() => this.swarm.seedDownloadFailed('t', hostId, this.nowMs));
  }

  #scheduleTick(): void {
    const next = this.swarm.nextTickMs();
    if (next === undefined || next >= this.#tickMs) return;
    const dueMs = Math.max(next, this.nowMs + 1);
    this.#tickMs = dueMs;
    this.at(dueMs, () => {
      if (this.#tickMs !== dueMs) return;
      this.#tickMs = Number.POSITIVE_INFINITY;
      this.apply(() => this.swarm.tick(this.nowMs));
    });
  }
}
