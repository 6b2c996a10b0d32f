/**
 * The history of every host, for watchers: when it joined, hung, was lost, or said goodbye. It is kept for a day after
 * the host has gone. Nothing here plays a role in decisions.
 */
import type { Host } from '../../../gen/common/v2/common.ts';
import type { BeatHostRequest } from '../../../gen/scheduler/v2/scheduler.ts';
import { goneHostKeptMs, maxGoneHosts, maxShownLength, silentHostMs, stalledMs } from '../limits.ts';

/** `silent`: its connections are open, but it sends nothing. */
export type HostLife = 'online' | 'silent' | 'lost' | 'left';

/** How a host ended: its connection broke, it did not answer, its announcements stopped, or it said goodbye. */
export type HostEnd = 'stream' | 'unanswered' | 'expired' | 'goodbye';

export interface HostFigures {
  /** Bytes; 0 while unknown. */
  readonly diskTotal: number;
  readonly diskFree: number;
  readonly memoryTotal: number;
  readonly memoryAvailable: number;
  readonly uploadsRunning: number;
}

/** The number of pieces it sent, and failed to send. */
export interface HostUploads {
  readonly uploads: number;
  readonly uploadsFailed: number;
}

/** The part of a host that is shown. Nothing else is kept, because a host that is gone stays for a day. */
export interface ShownHost {
  readonly id: string;
  readonly hostname: string;
  readonly ip: string;
  readonly port: number;
  readonly proxyPort: number;
  readonly isSeed: boolean;
  readonly idc: string;
  readonly location: string;
  readonly version: string;
  readonly platform: string;
}

/** Times are of the monotonic clock. */
export interface HostEntry {
  host: ShownHost;
  unreachable: boolean;
  life: HostLife;
  end: HostEnd | undefined;
  sinceMs: number;
  joinedAtMs: number;
  lastWordMs: number;
  /** True when it sends heartbeats every few seconds, so that silence means something. */
  beats: boolean;
  figures: HostFigures;
  /** As they were at its end. */
  uploads: HostUploads;
  accusers: readonly string[];
}

export class HostBook {
  readonly #entries = new Map<string, HostEntry>();
  #lookedAtMs = -Infinity;
  #awakeSinceMs = -Infinity;

  get entries(): ReadonlyMap<string, Readonly<HostEntry>> {
    return this.#entries;
  }

  announced(host: Host, { unreachable }: { readonly unreachable: boolean }, nowMs: number): void {
    const figures = figuresOf(host);
    const known = this.#entries.get(host.id);
    if (known && !isGone(known)) {
      Object.assign(known, { host: shownOf(host), unreachable, figures });
      this.#word(known, nowMs);
      return;
    }
    // Re-inserted behind the hosts that were lost before, because the oldest are forgotten first.
    this.#entries.delete(host.id);
    this.#entries.set(host.id, {
      host: shownOf(host),
      unreachable,
      life: 'online',
      end: undefined,
      sinceMs: nowMs,
      joinedAtMs: nowMs,
      lastWordMs: nowMs,
      beats: false,
      figures,
      uploads: { uploads: 0, uploadsFailed: 0 },
      accusers: [],
    });
  }

  /** A sign of life. It is ignored for a host that is unknown or gone, which has to announce itself first. */
  beat(
    hostId: string,
    { diskTotal, diskFree, memoryTotal, memoryAvailable, uploadsRunning }: BeatHostRequest,
    nowMs: number,
  ): void {
    const known = this.#entries.get(hostId);
    if (!known || isGone(known)) return;
    known.beats = true;
    known.figures = { diskTotal, diskFree, memoryTotal, memoryAvailable, uploadsRunning };
    this.#word(known, nowMs);
  }

  gone(hostId: string, end: HostEnd, uploads: HostUploads | undefined, nowMs: number): void {
    const known = this.#entries.get(hostId);
    if (!known || isGone(known)) return;
    // A host that was hanging counts as lost from then on.
    if (known.life === 'online') known.sinceMs = nowMs;
    known.life = end === 'goodbye' ? 'left' : 'lost';
    known.end = end;
    if (uploads) known.uploads = { uploads: uploads.uploads, uploadsFailed: uploads.uploadsFailed };
    this.#entries.delete(hostId);
    this.#entries.set(hostId, known);
  }

  struckOff(hostId: string, accusers: readonly string[]): void {
    const known = this.#entries.get(hostId);
    if (known) known.accusers = accusers;
  }

  /** Finds hosts that hang, and forgets those that have long been gone. Every watcher calls this before it looks. */
  look(nowMs: number): void {
    // While this process itself was hanging it received nothing.
    if (nowMs - this.#lookedAtMs > stalledMs) this.#awakeSinceMs = nowMs;
    this.#lookedAtMs = nowMs;
    let gone = 0;
    for (const entry of this.#entries.values()) {
      if (isGone(entry)) gone += 1;
      else if (
        entry.life === 'online' &&
        entry.beats &&
        nowMs - Math.max(entry.lastWordMs, this.#awakeSinceMs) > silentHostMs
      ) {
        entry.life = 'silent';
        entry.sinceMs = entry.lastWordMs;
      }
    }
    for (const [hostId, entry] of this.#entries) {
      if (!isGone(entry)) continue;
      if (gone <= maxGoneHosts && nowMs - entry.sinceMs < goneHostKeptMs) continue;
      this.#entries.delete(hostId);
      gone -= 1;
    }
  }

  #word(entry: HostEntry, nowMs: number): void {
    entry.lastWordMs = nowMs;
    if (entry.life !== 'silent') return;
    entry.life = 'online';
    entry.sinceMs = nowMs;
  }
}

function isGone({ life }: HostEntry): boolean {
  return life === 'lost' || life === 'left';
}

function shownOf({ id, hostname, ip, port, proxyPort, type, network, build }: Host): ShownHost {
  return {
    id,
    hostname,
    ip,
    port,
    proxyPort,
    isSeed: type !== 0,
    idc: shortened(network?.idc),
    location: shortened(network?.location),
    version: shortened(build?.gitVersion),
    platform: shortened(build?.platform),
  };
}

function shortened(text = ''): string {
  return text.slice(0, maxShownLength);
}

function figuresOf({ disk, memory, network }: Host): HostFigures {
  return {
    diskTotal: disk?.total ?? 0,
    diskFree: disk?.free ?? 0,
    memoryTotal: memory?.total ?? 0,
    memoryAvailable: memory?.available ?? 0,
    uploadsRunning: network?.uploadTcpConnectionCount ?? 0,
  };
}
