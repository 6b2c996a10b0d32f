/** Hosts and peers of several tasks, spread over a number of connections. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { Host } from '../../gen/common/v2/common.ts';
import { SchedulerDefinition } from '../../gen/scheduler/v2/scheduler.ts';
import { LoadedPeer } from './loaded-peer.ts';

export interface LoadOptions {
  readonly peers: number;
  readonly tasks: number;
  readonly connections: number;
  readonly arrivalsPerSec: number;
  readonly reportEveryMs: number;
  readonly original: boolean;
}

const stepMs = 20;
const piecesPerReport = 4;
const announcedAtOnce = 200;

export class Swarms {
  readonly peers: LoadedPeer[] = [];
  reportsSent = 0;
  readonly #options: LoadOptions;
  readonly #channels: readonly Channels[];
  readonly #clients: readonly ReturnType<typeof createClient<typeof SchedulerDefinition>>[];
  readonly #hosts: readonly Host[];

  constructor(address: string, options: LoadOptions) {
    this.#options = options;
    this.#channels = Array.from({ length: options.connections }, () => new Channels());
    this.#clients = this.#channels.map((channels) => createClient(SchedulerDefinition, channels, address));
    this.#hosts = Array.from({ length: options.peers }, (_, index) => announcedHost(index));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#channels.map((channels) => channels[Symbol.asyncDispose]()));
  }

  async announceHosts(): Promise<void> {
    const waiting = this.#hosts.entries();
    const announce = async (): Promise<void> => {
      for (const [index, host] of waiting) {
        await this.#client(index).announceHost({ host, interval: { seconds: 300, nanos: 0 } }, { timeoutMs: 60_000 });
      }
    };
    await Promise.all(Array.from({ length: announcedAtOnce }, announce));
  }

  /** Peers register at an even pace; those that came report meanwhile. Ends when all have got an answer or a while later. */
  async arrive(): Promise<void> {
    const { arrivalsPerSec, tasks, original } = this.#options;
    const startMs = performance.now();
    while (this.peers.length < this.#hosts.length) {
      const onTime = Math.ceil(((performance.now() - startMs) / 1000) * arrivalsPerSec);
      // Held up by a busy machine, the rest comes at four times the pace, not all in one moment.
      const most = this.peers.length + Math.ceil((4 * arrivalsPerSec * stepMs) / 1000);
      const due = Math.min(this.#hosts.length, onTime, most);
      while (this.peers.length < due) {
        const index = this.peers.length;
        const host = this.#hosts[index];
        if (!host) break;
        const taskId = createHash('sha256')
          .update(`task ${index % tasks}`)
          .digest('hex');
        const peer = new LoadedPeer({ client: this.#client(index), host, taskId, original });
        this.peers.push(peer);
        peer.start();
      }
      this.#reportShare();
      await delay(stepMs);
    }
    for (
      let waits = 0;
      waits < 250 && this.peers.some((peer) => peer.open && peer.firstAnswerMs === undefined);
      waits += 1
    ) {
      await delay(stepMs);
    }
  }

  async stream(durationMs: number): Promise<void> {
    this.reportsSent = 0;
    const endMs = performance.now() + durationMs;
    while (performance.now() < endMs) {
      this.#reportShare();
      await delay(stepMs);
    }
  }

  #nextReporter = 0;
  #lastShareMs = performance.now();

  /** As many peers report as their interval asks for since the last time. */
  #reportShare(): void {
    const nowMs = performance.now();
    const due = Math.floor(
      (this.peers.length * Math.min(1000, nowMs - this.#lastShareMs)) / this.#options.reportEveryMs,
    );
    if (due === 0) return;
    this.#lastShareMs = nowMs;
    for (let step = 0; step < due; step += 1) {
      if (this.peers[this.#nextReporter % this.peers.length]?.report(piecesPerReport) === true) this.reportsSent += 1;
      this.#nextReporter += 1;
    }
  }

  #client(index: number) {
    const client = this.#clients[index % this.#clients.length];
    if (!client) throw new Error('no connection');
    return client;
  }
}

/** As a daemon announces itself, with all figures. */
function announcedHost(index: number): Host {
  const name = `node-${String(index).padStart(5, '0')}`;
  const ip = `10.${index >>> 16}.${(index >>> 8) & 255}.${index & 255}`;
  return Host.fromPartial({
    id: `${ip}-${name}`,
    hostname: name,
    ip,
    port: 65_000,
    downloadPort: 65_000,
    os: 'linux',
    platform: 'debian',
    platformFamily: 'debian',
    platformVersion: '12.5',
    kernelVersion: '6.1.0',
    cpu: { logicalCount: 32, physicalCount: 16, percent: 12.5, times: { user: 1000, system: 300, idle: 90_000 } },
    memory: { total: 2 ** 37, available: 2 ** 36, used: 2 ** 36, usedPercent: 50, free: 2 ** 36 },
    network: {
      location: `region-${index % 3}|zone-${index % 9}`,
      idc: `idc-${index % 3}`,
      maxTxBandwidth: 1.25e9,
      maxRxBandwidth: 1.25e9,
    },
    disk: { total: 2 ** 41, free: 2 ** 40, used: 2 ** 40, usedPercent: 50 },
    build: { gitVersion: '0.1.0' },
    schedulerClusterId: 1,
    name,
  });
}
