/** Builds the frames for one watcher of hosts: all of them first, then those that changed. */
import type { HostsFrame, HostState } from '../../../gen/scheduler/v2/live.ts';
import type { Brain } from '../brain.ts';
import { hostFiguresMs, maxHostsPerFrame, maxWatchedHosts } from '../limits.ts';
import { wallTime } from '../messages.ts';
import type { HostEntry } from './host-book.ts';

interface Told {
  /** The part whose changes are sent at once. */
  readonly state: string;
  /** What may wait. */
  readonly figures: string;
  readonly atMs: number;
}

export class HostsWatcher {
  readonly #brain: Brain;
  readonly #told = new Map<string, Told>();
  /** The totals as last sent. */
  #totals = '';
  #first = true;

  constructor(brain: Brain) {
    this.#brain = brain;
  }

  /** Empty when nothing changed. */
  next(nowMs = performance.now()): HostsFrame[] {
    const { book, ledger } = this.#brain;
    book.look(nowMs);
    const hosts: HostState[] = [];
    for (const entry of book.entries.values()) {
      const message = hostState(this.#brain, entry, nowMs);
      if (this.#isNews(message, nowMs)) hosts.push(message);
    }
    const removed = [...this.#told.keys()].filter((hostId) => !book.entries.has(hostId));
    for (const hostId of removed) this.#told.delete(hostId);
    const totals = { ...ledger.totals, downloads: ledger.downloads };
    const news = JSON.stringify(totals) !== this.#totals;
    if (!this.#first && !news && hosts.length === 0 && removed.length === 0) return [];
    this.#totals = JSON.stringify(totals);
    const frames: HostsFrame[] = [];
    for (let start = 0; start === 0 || start < hosts.length; start += maxHostsPerFrame) {
      const end = start + maxHostsPerFrame;
      const isLast = end >= hosts.length;
      frames.push({
        snapshot: this.#first && start === 0,
        hosts: hosts.slice(start, end),
        removed: start === 0 ? removed : [],
        more: !isLast,
        ...totals,
      });
    }
    this.#first = false;
    return frames;
  }

  #isNews(message: HostState, nowMs: number): boolean {
    const { id, diskTotal, diskFree, memoryTotal, memoryAvailable, uploadsRunning, uploads, uploadsFailed, tasks } =
      message;
    const told = this.#told.get(id);
    if (!told && this.#told.size >= maxWatchedHosts) return false;
    const state = JSON.stringify({
      ...message,
      lastWordMs: 0,
      diskFree: percent(diskFree, diskTotal),
      memoryAvailable: 0,
      uploadsRunning: 0,
      uploads: 0,
      uploadsFailed: 0,
      tasks: 0,
    });
    const figures = `${uploadsRunning} ${uploads} ${uploadsFailed} ${tasks} ${percent(memoryAvailable, memoryTotal)}`;
    if (told?.state === state && (told.figures === figures || nowMs - told.atMs < hostFiguresMs)) return false;
    this.#told.set(id, { state, figures, atMs: nowMs });
    return true;
  }
}

function hostState({ swarm }: Brain, entry: Readonly<HostEntry>, nowMs: number): HostState {
  const { host, figures, life, end } = entry;
  const known = swarm.host(host.id);
  const struckOffUntilMs = known?.quarantinedUntilMs ?? 0;
  return {
    id: host.id,
    name: host.hostname,
    ip: host.ip,
    port: host.port,
    proxyPort: host.proxyPort,
    type: host.isSeed ? 'seed' : 'normal',
    idc: host.idc,
    location: host.location,
    version: host.version,
    platform: host.platform,
    state: life,
    reason: life === 'lost' ? (end ?? '') : '',
    sinceMs: wallMs(entry.sinceMs),
    joinedAtMs: wallMs(entry.joinedAtMs),
    lastWordMs: wallMs(entry.lastWordMs),
    unreachable: entry.unreachable,
    diskTotal: figures.diskTotal,
    diskFree: figures.diskFree,
    memoryTotal: figures.memoryTotal,
    memoryAvailable: figures.memoryAvailable,
    uploadsRunning: life === 'online' ? figures.uploadsRunning : 0,
    uploads: known?.uploads ?? entry.uploads.uploads,
    uploadsFailed: known?.uploadsFailed ?? entry.uploads.uploadsFailed,
    struckOffUntilMs: struckOffUntilMs > nowMs ? wallMs(struckOffUntilMs) : 0,
    accusers: struckOffUntilMs > nowMs ? [...entry.accusers] : [],
    tasks: known?.peers.size ?? 0,
  };
}

function wallMs(steadyMs: number): number {
  return Math.round(wallTime(steadyMs).getTime());
}

/** The free space of a disk or memory changes all the time, so only changes of a whole percent are sent. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((100 * part) / whole);
}
