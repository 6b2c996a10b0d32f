/**
 * Who got how much since the start, by application, tag, zone, node and origin, and how distributions went. Kept for
 * watchers; plays no role in decisions. Every change gets a number, so that a watcher finds what is new since its last
 * frame.
 */
import {
  distributionQuietMs,
  maxDistributionMs,
  maxEndedDistributions,
  maxMeasuredDownloads,
  maxRunningDistributions,
  maxShareNameLength,
  maxSharesPerKind,
} from '../limits.ts';

import type { RecordedEnd, RecordedNode, Recording } from './recording.ts';
import { RecordingShelf } from './recording-shelf.ts';

export const shareKinds = ['application', 'tag', 'zone', 'node', 'origin'] as const;
export type ShareKind = (typeof shareKinds)[number];

export interface Share {
  readonly kind: ShareKind;
  readonly name: string;
  version: number;
  originBytes: number;
  peerBytes: number;
  givenBytes: number;
  downloads: number;
  failures: number;
}

/** The share that collects everything beyond the limit. */
export const othersName = '*';

/** Times are of the monotonic clock. */
export interface EndedDistribution {
  /** Counts up from 1. */
  readonly number: number;
  readonly taskId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly downloads: number;
  readonly failures: number;
  readonly originBytes: number;
  readonly peerBytes: number;
  readonly lastNode: string;
  readonly slowestMs: number;
  readonly medianMs: number;
  /** What was known of the task when the distribution ended. */
  readonly about: TaskWords;
}

export interface TaskWords {
  readonly url: string;
  readonly tag: string;
  readonly application: string;
  /** Bytes; 0 while unknown. */
  readonly contentLength: number;
}

interface RunningDistribution {
  readonly startedAtMs: number;
  lastWordMs: number;
  endedAtMs: number;
  /** Downloads under way. */
  running: number;
  downloads: number;
  failures: number;
  originBytes: number;
  peerBytes: number;
  lastNode: string;
  slowestMs: number;
  /** Of the first downloads. */
  readonly durationsMs: number[];
  readonly recording: Recording;
}

/** One download of a distribution. */
export interface DownloadNode extends RecordedNode {
  readonly peerId: string;
}

export interface FinishedDownload {
  readonly peerId: string;
  /** Its name. */
  readonly node: string;
  /** Since it began. */
  readonly tookMs: number;
}

/** Pieces that reached a peer at the same moment. */
export interface Gift {
  readonly to: RecordedEnd;
  /** Undefined for the origin. */
  readonly parent: RecordedEnd | undefined;
  readonly pieces: number;
  readonly bytes: number;
}

export class TrafficBook {
  /** Steady clock. */
  readonly startedAtMs = performance.now();
  readonly #shares = new Map<ShareKind, Map<string, Share>>(shareKinds.map((kind) => [kind, new Map()]));
  readonly #running = new Map<string, RunningDistribution>();
  readonly #recordings = new RecordingShelf();
  #ended: EndedDistribution[] = [];
  #version = 0;
  #number = 0;

  /** Shares that changed after this version. */
  sharesSince(version: number): readonly Share[] {
    return [...this.#shares.values()].flatMap((named) =>
      [...named.values()].filter((share) => share.version > version),
    );
  }

  /** The distributions after this number that are still remembered. */
  endedSince(number: number): readonly EndedDistribution[] {
    return this.#ended.filter((ended) => ended.number > number);
  }

  /** The number of the newest change. */
  get version(): number {
    return this.#version;
  }

  /** The share of this name, or the one for all others when there are too many. */
  share(kind: ShareKind, fullName: string): Share {
    const name = fullName.slice(0, maxShareNameLength);
    const named = this.#shares.get(kind) ?? new Map<string, Share>();
    const known = named.get(name);
    if (known) return known;
    if (named.size >= maxSharesPerKind && name !== othersName) return this.share(kind, othersName);
    const share = {
      kind,
      name,
      version: 0,
      originBytes: 0,
      peerBytes: 0,
      givenBytes: 0,
      downloads: 0,
      failures: 0,
    };
    named.set(name, share);
    return share;
  }

  grow(share: Share, grown: Partial<Omit<Share, 'kind' | 'name' | 'version'>>): void {
    this.#version += 1;
    share.version = this.#version;
    share.originBytes += grown.originBytes ?? 0;
    share.peerBytes += grown.peerBytes ?? 0;
    share.givenBytes += grown.givenBytes ?? 0;
    share.downloads += grown.downloads ?? 0;
    share.failures += grown.failures ?? 0;
  }

  /** How the pieces of an ended distribution moved; undefined when it is no longer remembered. */
  recordingOf(number: number): Recording | undefined {
    return this.#recordings.ofDistribution(number);
  }

  /** A download of the task has begun. */
  began(taskId: string, { peerId, ...node }: DownloadNode, nowMs: number): void {
    let running = this.#running.get(taskId);
    if (!running) {
      // Beyond this number a distribution is not tracked separately; its bytes are counted in the shares all the same.
      if (this.#running.size >= maxRunningDistributions) return;
      running = this.#begin(nowMs, 0);
      this.#running.set(taskId, running);
    }
    running.running += 1;
    running.lastWordMs = nowMs;
    running.recording.began(peerId, node, nowMs);
  }

  moved(taskId: string, { to, parent, pieces, bytes }: Gift, nowMs: number): void {
    const running = this.#running.get(taskId);
    if (!running) return;
    if (parent) running.peerBytes += bytes;
    else running.originBytes += bytes;
    running.lastWordMs = nowMs;
    running.recording.moved(to, parent, pieces, nowMs);
  }

  finished(taskId: string, { peerId, node, tookMs }: FinishedDownload, nowMs: number): void {
    const running = this.#running.get(taskId);
    if (!running) return;
    running.endedAtMs = nowMs;
    running.lastWordMs = nowMs;
    running.lastNode = node;
    running.downloads += 1;
    running.slowestMs = Math.max(running.slowestMs, tookMs);
    if (running.durationsMs.length < maxMeasuredDownloads) running.durationsMs.push(tookMs);
    running.recording.ended(peerId, false, nowMs);
  }

  failed(taskId: string, peerId: string, nowMs: number): void {
    const running = this.#running.get(taskId);
    if (!running) return;
    running.failures += 1;
    running.endedAtMs = nowMs;
    running.lastWordMs = nowMs;
    running.recording.ended(peerId, true, nowMs);
  }

  /** A download that began has ended, in whatever way. */
  over(taskId: string): void {
    const running = this.#running.get(taskId);
    if (running) running.running = Math.max(0, running.running - 1);
  }

  /** Finds distributions that are over: nobody has downloaded for a while. Every watcher calls this before it looks. */
  look(nowMs: number, wordsOf: (taskId: string) => TaskWords | undefined): void {
    for (const [taskId, running] of this.#running) {
      const isQuiet = running.running === 0 && nowMs - running.lastWordMs >= distributionQuietMs;
      // A distribution that never ends is reported in parts.
      if (!isQuiet && nowMs - running.startedAtMs < maxDistributionMs) continue;
      if (isQuiet) this.#running.delete(taskId);
      else this.#running.set(taskId, this.#begin(nowMs, running.running));
      // Peers that only looked, or found everything on their own disk, distributed nothing.
      if (running.originBytes + running.peerBytes + running.failures > 0) this.#end(taskId, running, wordsOf(taskId));
      else this.#recordings.drop(running.recording);
    }
  }

  #begin(nowMs: number, running: number): RunningDistribution {
    return {
      startedAtMs: nowMs,
      lastWordMs: nowMs,
      endedAtMs: nowMs,
      running,
      downloads: 0,
      failures: 0,
      originBytes: 0,
      peerBytes: 0,
      lastNode: '',
      slowestMs: 0,
      durationsMs: [],
      recording: this.#recordings.begin(nowMs),
    };
  }

  #end(taskId: string, running: RunningDistribution, about: TaskWords = unknownTask): void {
    const durations = running.durationsMs.toSorted((one, other) => one - other);
    this.#number += 1;
    this.#recordings.keep(this.#number, running.recording);
    this.#ended.push({
      number: this.#number,
      taskId,
      startedAtMs: running.startedAtMs,
      endedAtMs: running.endedAtMs,
      downloads: running.downloads,
      failures: running.failures,
      originBytes: running.originBytes,
      peerBytes: running.peerBytes,
      lastNode: running.lastNode,
      slowestMs: Math.round(running.slowestMs),
      medianMs: Math.round(durations[Math.floor(durations.length / 2)] ?? 0),
      about,
    });
    if (this.#ended.length > maxEndedDistributions) this.#ended.shift();
  }
}

export const unknownTask: TaskWords = { url: '', tag: '', application: '', contentLength: 0 };
