/** Builds the frames of one watcher of traffic: all that is remembered first, then what changed. */
import type { Distribution, TrafficFrame } from '../../../gen/scheduler/v2/live.ts';
import { redact } from '../../core/redact.ts';
import type { Brain } from '../brain.ts';
import { maxDistributionsPerFrame, maxSharesPerFrame } from '../limits.ts';
import { wallTime } from '../messages.ts';
import type { EndedDistribution, TaskWords } from './traffic-book.ts';

export class TrafficWatcher {
  readonly #brain: Brain;
  #seenVersion = 0;
  #seenNumber = 0;
  #first = true;

  constructor(brain: Brain) {
    this.#brain = brain;
  }

  /** None when nothing changed. */
  next(nowMs = performance.now()): TrafficFrame[] {
    const { traffic } = this.#brain;
    traffic.look(nowMs, (taskId) => wordsOf(this.#brain, taskId));
    const shares = traffic.sharesSince(this.#seenVersion);
    const ended = traffic.endedSince(this.#seenNumber).map(toMessage);
    if (!this.#first && shares.length + ended.length === 0) return [];
    this.#first = false;
    this.#seenVersion = traffic.version;
    this.#seenNumber = ended.at(-1)?.number ?? this.#seenNumber;
    const frames: TrafficFrame[] = [];
    const count = Math.max(
      1,
      Math.ceil(shares.length / maxSharesPerFrame),
      Math.ceil(ended.length / maxDistributionsPerFrame),
    );
    for (let index = 0; index < count; index += 1) {
      frames.push({
        startedAtMs: wallMs(traffic.startedAtMs),
        uptimeMs: Math.round(nowMs - traffic.startedAtMs),
        shares: shares.slice(index * maxSharesPerFrame, (index + 1) * maxSharesPerFrame),
        distributions: ended.slice(index * maxDistributionsPerFrame, (index + 1) * maxDistributionsPerFrame),
        more: index + 1 < count,
      });
    }
    return frames;
  }
}

function wordsOf({ swarm }: Brain, taskId: string): TaskWords | undefined {
  const task = swarm.task(taskId);
  if (!task) return undefined;
  const { url, tag, application, layout } = task;
  return { url: redact(url), tag, application, contentLength: layout?.contentLengthBytes ?? 0 };
}

function toMessage({ about, startedAtMs: started, endedAtMs: ended, ...rest }: EndedDistribution): Distribution {
  return { ...rest, ...about, startedAtMs: wallMs(started), endedAtMs: wallMs(ended) };
}

function wallMs(steadyMs: number): number {
  return Math.round(wallTime(steadyMs).getTime());
}
