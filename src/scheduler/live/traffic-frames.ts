/** Builds the frames for one watcher of traffic: everything remembered first, then the changes. */
import type {
  Distribution,
  EndedDownload as DownloadMessage,
  Recording as RecordingMessage,
  TrafficFrame,
} from '../../../gen/scheduler/v2/live.ts';
import { DragonflyError } from '../../core/errors.ts';
import { redact } from '../../core/redact.ts';
import type { Brain } from '../brain.ts';
import { maxDistributionsPerFrame, maxDownloadsPerFrame, maxSharesPerFrame } from '../limits.ts';
import { wallTime } from '../messages.ts';
import type { EndedDownload } from './download-log.ts';
import type { EndedDistribution, TaskWords } from './traffic-book.ts';

export class TrafficWatcher {
  readonly #brain: Brain;
  #seenVersion = 0;
  #seenNumber = 0;
  #seenDownload = 0;
  #first = true;

  constructor(brain: Brain) {
    this.#brain = brain;
  }

  /** Empty when nothing changed. */
  next(nowMs = performance.now()): TrafficFrame[] {
    const { traffic, downloads } = this.#brain;
    traffic.look(nowMs, (taskId) => wordsOf(this.#brain.swarm, taskId));
    const shares = traffic.sharesSince(this.#seenVersion);
    const ended = traffic.endedSince(this.#seenNumber).map(toMessage);
    const finished = downloads.since(this.#seenDownload);
    if (!this.#first && shares.length + ended.length + finished.length === 0) return [];
    this.#first = false;
    this.#seenVersion = traffic.version;
    this.#seenNumber = ended.at(-1)?.number ?? this.#seenNumber;
    this.#seenDownload = finished.at(-1)?.number ?? this.#seenDownload;
    const frames: TrafficFrame[] = [];
    const count = Math.max(
      1,
      Math.ceil(shares.length / maxSharesPerFrame),
      Math.ceil(ended.length / maxDistributionsPerFrame),
      Math.ceil(finished.length / maxDownloadsPerFrame),
    );
    for (let index = 0; index < count; index += 1) {
      frames.push({
        startedAtMs: wallMs(traffic.startedAtMs),
        uptimeMs: Math.round(nowMs - traffic.startedAtMs),
        shares: shares.slice(index * maxSharesPerFrame, (index + 1) * maxSharesPerFrame),
        distributions: ended.slice(index * maxDistributionsPerFrame, (index + 1) * maxDistributionsPerFrame),
        downloads: finished.slice(index * maxDownloadsPerFrame, (index + 1) * maxDownloadsPerFrame).map(toDownload),
        more: index + 1 < count,
      });
    }
    return frames;
  }
}

/** What is known of a task now; undefined when it is no longer known. */
export function wordsOf(swarm: Brain['swarm'], taskId: string): TaskWords | undefined {
  const task = swarm.task(taskId);
  if (!task) return undefined;
  const { url, tag, application, layout } = task;
  return { url: redact(url), tag, application, contentLength: layout?.contentLengthBytes ?? 0 };
}

/** How the pieces of an ended distribution moved. */
export function recordingOf({ swarm, traffic }: Brain, startedAtMs: number, number: number): RecordingMessage {
  const isOfThisStart = startedAtMs === wallMs(traffic.startedAtMs);
  const recording = isOfThisStart ? traffic.recordingOf(number) : undefined;
  const ended = recording && traffic.endedSince(number - 1).find((one) => one.number === number);
  if (!recording || !ended) throw new DragonflyError('NOT_FOUND', `no recording of the distribution ${number} is here`);
  const task = swarm.task(ended.taskId);
  return {
    pieceLength: task?.layout?.pieceLengthBytes ?? 0,
    pieceCount: task?.pieceCount ?? 0,
    stepMs: recording.stepMs,
    peers: [...recording.peers],
    moves: recording.moves(),
  };
}

function toMessage({ about, startedAtMs: started, endedAtMs: ended, ...rest }: EndedDistribution): Distribution {
  return { ...rest, ...about, startedAtMs: wallMs(started), endedAtMs: wallMs(ended) };
}

function toDownload({ about, startedAtMs: started, endedAtMs: ended, ...rest }: EndedDownload): DownloadMessage {
  return { ...rest, ...about, sources: [...rest.sources], startedAtMs: wallMs(started), endedAtMs: wallMs(ended) };
}

function wallMs(steadyMs: number): number {
  return Math.round(wallTime(steadyMs).getTime());
}
