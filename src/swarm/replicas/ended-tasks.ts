/**
 * Tasks that are over: whoever comes back with something of one is told to delete it. A deleted task is over for everybody; an import that
 * came to nothing is for the hosts that made replicas for it, and not for those that hold the same content from before.
 */
import { expiresMs, type KeptFacts } from './kept-task.ts';
import type { ReplicaLimits } from './limits.ts';

interface Ended {
  readonly untilMs: number;
  readonly ofObject: boolean;
  /** For whom; undefined for all. */
  readonly hosts: ReadonlySet<string> | undefined;
}

export class EndedTasks {
  readonly #limits: Pick<ReplicaLimits, 'rememberMs' | 'maxDeleted'>;
  readonly #ended = new Map<string, Ended>();

  constructor(limits: Pick<ReplicaLimits, 'rememberMs' | 'maxDeleted'>) {
    this.#limits = limits;
  }

  add(facts: KeptFacts, nowMs: number, hosts?: ReadonlySet<string>): void {
    const endMs = expiresMs(facts);
    const untilMs = Number.isFinite(endMs) ? endMs : nowMs + this.#limits.rememberMs;
    if (untilMs <= nowMs) return;
    const [oldest] = this.#ended.keys();
    if (this.#ended.size >= this.#limits.maxDeleted && oldest !== undefined) this.#ended.delete(oldest);
    this.#ended.set(facts.taskId, { untilMs, ofObject: facts.object !== undefined, hosts });
  }

  /** What is over for this host. */
  get(taskId: string, hostId: string): Pick<Ended, 'ofObject'> | undefined {
    const ended = this.#ended.get(taskId);
    return ended && (!ended.hosts || ended.hosts.has(hostId)) ? ended : undefined;
  }

  /** It begins anew. */
  delete(taskId: string): void {
    this.#ended.delete(taskId);
  }

  forget(nowMs: number): void {
    for (const [taskId, { untilMs }] of this.#ended) if (untilMs <= nowMs) this.#ended.delete(taskId);
  }
}
