/** The scheduler of a simulated cluster: a real Swarm, connected to the daemons by links with latency. */
import { DragonflyError } from '../core/errors.ts';
import type { Decision } from '../swarm/shared/decisions.ts';
import { allFeatures, type HostInfo, type TaskLayout } from '../swarm/shared/events.ts';
import type { PieceSet } from '../swarm/shared/piece-set.ts';
import { Swarm } from '../swarm/scheduler/swarm.ts';
import type { Place, World } from './world.ts';

/** The evaluator of the release that each arm stands for: one parent until 2.0.2, several from 2.0.3. */
const evaluatorOf = { ours: 'measured', dag: 'v2.1.28', tree: 'v2.0.2' } as const;
const reconnectJitterMs = 500;
/** Keep-alive of connections: a silent host is noticed after this time. */
const silenceMs = 5000;
const taskId = 't';
const url = 'http://origin/object';

/** The part of a daemon that the scheduler uses. */
interface Client {
  readonly setup: Place & { readonly isSeed: boolean; readonly loadLimit: number };
  readonly hostId: string;
  /** Of this life. */
  readonly peerId: string;
  readonly life: number;
  readonly alive: boolean;
  readonly held: PieceSet;
  /** True while it fetches from the origin: a scheduler that lost its memory must not send another daemon there. */
  readonly isAtOrigin: boolean;
  /** Makes a seed fetch the task. */
  download(): void;
  decide(decision: Decision): void;
  schedulerCameBack(): void;
}

export class SimulatedScheduler<Daemon extends Client> {
  readonly #world: World;
  readonly #daemons = new Map<string, Daemon>();
  readonly #byPeerId = new Map<string, Daemon>();
  #swarm: Swarm;
  #tickMs = Number.POSITIVE_INFINITY;
  /** Called after every event. */
  onEvent: ((swarm: Swarm) => void) | undefined;

  constructor(world: World) {
    this.#world = world;
    this.#swarm = this.#newSwarm();
  }

  /** Adds a daemon; the daemon itself announces itself to the scheduler. */
  connect(daemon: Daemon): void {
    this.#daemons.set(daemon.hostId, daemon);
  }

  daemonOf(peerId: string): Daemon | undefined {
    return this.#byPeerId.get(peerId);
  }

  // ── what daemons say ───────────────────────────────────────────────────────────────────────────────────────────

  /** Delivers one event to the scheduler, and its decisions to the daemons they are for. */
  tell(daemon: Daemon, event: (swarm: Swarm, nowMs: number) => Decision[]): void {
    const { life } = daemon;
    this.#world.after(this.#world.options.latencyMs, () => {
      if (daemon.life !== life && daemon.alive) return;
      this.#apply(() => event(this.#swarm, this.#world.nowMs));
    });
  }

  announceHost(daemon: Daemon): void {
    this.tell(daemon, (swarm, nowMs) => swarm.announceHost(this.#hostInfo(daemon), nowMs));
  }

  /** After a restart of the scheduler a complete daemon reports what it holds. */
  announceHeld(daemon: Daemon): void {
    const { hostId, peerId } = daemon;
    this.tell(daemon, (swarm, nowMs) => {
      swarm.announceHost(this.#hostInfo(daemon), nowMs);
      const held = { taskId, peerId, url, layout: this.#world.layout, pieces: daemon.held.clone() };
      return swarm.announceHeld(hostId, held, nowMs);
    });
  }

  register(daemon: Daemon, knownLayout: TaskLayout | undefined): void {
    const { peerId, hostId, isAtOrigin } = daemon;
    this.#byPeerId.set(peerId, daemon);
    this.tell(daemon, (swarm, nowMs) => {
      const announced = swarm.announceHost(this.#hostInfo(daemon), nowMs);
      const registered = swarm.registerPeer(
        {
          peerId,
          taskId,
          hostId,
          url,
          priority: 0,
          needBackToSource: daemon.setup.isSeed || isAtOrigin,
          disableBackToSource: false,
          knownLayout: this.#world.options.arm === 'ours' ? knownLayout : this.#world.layout,
          heldPieces: daemon.held.clone(),
          features: allFeatures,
        },
        nowMs,
      );
      return [...announced, ...registered];
    });
  }

  /** The stream of a dead daemon breaks: at once when the process died, after the keep-alive when the host fell silent. */
  streamBroke(peerId: string, silent: boolean): void {
    this.#world.after(silent ? silenceMs : this.#world.options.latencyMs, () =>
      this.#apply(() => this.#swarm.peerLeft(peerId, this.#world.nowMs)),
    );
  }

  // ── itself ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everything it knew is lost; daemons notice the broken stream and come back with what they hold, at random times. */
  restart(): void {
    this.#swarm = this.#newSwarm();
    this.#tickMs = Number.POSITIVE_INFINITY;
    for (const daemon of this.#daemons.values())
      this.#world.after(this.#world.random() * reconnectJitterMs, () => daemon.schedulerCameBack());
  }

  #newSwarm(): Swarm {
    const { random, nowMs } = this.#world;
    const { arm, evaluator, limits } = this.#world.options;
    return new Swarm({
      random,
      mode: arm === 'ours' ? 'swarm' : arm,
      evaluator: evaluator ?? evaluatorOf[arm],
      limits: limits ?? {},
      // the first scheduler of a run has been running for long
      startedAtMs: nowMs === 0 ? Number.NEGATIVE_INFINITY : nowMs,
    });
  }

  #hostInfo({ hostId, setup }: Daemon): HostInfo {
    const { zones, sites } = this.#world.options;
    return {
      hostId,
      type: setup.isSeed ? 'seed' : 'normal',
      idc: zones || sites ? `zone-${setup.zone}` : '',
      location: '',
      loadLimit: setup.loadLimit,
      maxTxBitsPerSec: setup.up.capacityBytesPerMs * 8000,
      disableShared: false,
      announceIntervalMs: 300_000,
    };
  }

  /** An event about something that a restarted scheduler does not know is answered with an error, as over the network. */
  #apply(event: () => Decision[]): void {
    try {
      this.#deliver(event());
    } catch (error) {
      if (!(error instanceof DragonflyError) || error.code !== 'PEER_UNKNOWN') throw error;
    }
    this.onEvent?.(this.#swarm);
    this.#scheduleTick();
  }

  #deliver(decisions: readonly Decision[]): void {
    if (decisions.length === 0) return;
    this.#world.after(this.#world.options.latencyMs, () => {
      for (const decision of decisions) {
        if (decision.kind === 'trigger-seed') this.#triggerSeed(decision.hostId);
        const daemon = this.daemonOf(decision.peerId);
        if (daemon?.alive === true && daemon.peerId === decision.peerId) daemon.decide(decision);
      }
    });
  }

  #triggerSeed(hostId: string): void {
    const daemon = this.#daemons.get(hostId);
    if (daemon?.alive === true) daemon.download();
    else this.#apply(() => this.#swarm.seedDownloadFailed(taskId, hostId, this.#world.nowMs));
  }

  #scheduleTick(): void {
    const next = this.#swarm.nextTickMs();
    if (next === undefined || next >= this.#tickMs) return;
    const dueMs = Math.max(next, this.#world.nowMs + 1);
    this.#tickMs = dueMs;
    this.#world.at(dueMs, () => {
      if (this.#tickMs !== dueMs) return;
      this.#tickMs = Number.POSITIVE_INFINITY;
      this.#apply(() => this.#swarm.tick(this.#world.nowMs));
    });
  }
}
