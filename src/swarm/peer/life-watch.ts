/**
 * Tells dead parents from busy ones. One that lives and gives nothing loses its piece to a hedge, and its request to a deadline (PieceRequest).
 * Silence alone proves nothing, so a parent that owes something and has been silent for a
 * while is asked for a sign of life: a busy process answers, a stopped one or one behind a dead link does not. How long the
 * answer may take follows the longest recent answer of this parent and of every other node: on loaded machines all are slow.
 */
import type { PickerLimits } from './picker-limits.ts';

type Limits = Pick<PickerLimits, 'quietMs' | 'lifeMs' | 'lifeMostMs' | 'lateMs'>;

export interface LifeCheck {
  /** Parents to be asked for a sign of life. */
  readonly ask: readonly string[];
  /** They did not answer. */
  readonly silent: readonly string[];
}

/** What is known about one parent being alive. */
export interface Watched {
  heardAtMs: number;
  /** It has said something. */
  known: boolean;
  /** Since when the parent owes something. */
  owesSinceMs: number | undefined;
  askedAtMs: number | undefined;
  silentAtMs: number;
  /** Number of checks that were late themselves. */
  lateLooks: number;
}

/** An answer may take this many times longer than the longest one so far. */
const patience = 4;
/** After a shorter answer, this share of the longest one still counts. */
const fading = 0.9;
/** A late check is repeated this many times; a node that is always late has to decide nevertheless. */
const mostLateLooks = 3;

const nobody: LifeCheck = { ask: [], silent: [] };

export function newWatched(nowMs: number): Watched {
  return {
    heardAtMs: nowMs,
    known: false,
    owesSinceMs: nowMs,
    askedAtMs: undefined,
    silentAtMs: Number.POSITIVE_INFINITY,
    lateLooks: 0,
  };
}

export class LifeWatch {
  readonly #limits: Limits;
  readonly #parents = new Map<string, Watched>();
  #answerMs = 0;
  #othersMs = 0;
  /** When to check next; infinite while nobody owes anything. */
  dueMs = Number.POSITIVE_INFINITY;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  added(parentId: string, nowMs: number, watched = newWatched(nowMs)): void {
    this.#parents.set(parentId, watched);
    this.expect(nowMs);
  }

  removed(parentId: string): void {
    this.#parents.delete(parentId);
  }

  heard(parentId: string, nowMs: number): void {
    const parent = this.#parents.get(parentId);
    if (parent) this.heardFrom(parent, nowMs);
  }

  /** A variant for callers that have the parent at hand: nothing is called as often. */
  heardFrom(parent: Watched, nowMs: number): void {
    parent.heardAtMs = nowMs;
    parent.known = true;
    if (parent.askedAtMs === undefined) return;
    this.#answerMs = Math.max(nowMs - parent.askedAtMs, fading * this.#answerMs);
    parent.askedAtMs = undefined;
    parent.lateLooks = 0;
  }

  /** Some parent may owe something from now on. */
  expect(nowMs: number): void {
    this.dueMs = Math.min(this.dueMs, nowMs + this.#limits.quietMs);
  }

  /**
   * @param answerMs the longest recent answer of other nodes. @param owes whether something was requested of a parent,
   * or is expected from it.
   */
  check({ nowMs, answerMs }: { nowMs: number; answerMs: number }, owes: (parentId: string) => boolean): LifeCheck {
    if (nowMs < this.dueMs) return nobody;
    this.#othersMs = answerMs;
    const { quietMs } = this.#limits;
    const ask: string[] = [];
    const silent: string[] = [];
    let dueMs = Number.POSITIVE_INFINITY;
    for (const [parentId, parent] of this.#parents) {
      if (parent.known && !owes(parentId)) {
        parent.owesSinceMs = undefined;
        parent.askedAtMs = undefined;
        continue;
      }
      parent.owesSinceMs ??= nowMs;
      if (parent.askedAtMs === undefined) {
        const quietAtMs = Math.max(parent.heardAtMs, parent.owesSinceMs) + quietMs;
        if (nowMs >= quietAtMs) {
          parent.askedAtMs = nowMs;
          parent.silentAtMs = nowMs + this.#patienceMs;
          ask.push(parentId);
        } else parent.silentAtMs = quietAtMs;
      } else if (this.#isSilent(parent, nowMs)) {
        silent.push(parentId);
        continue;
      }
      dueMs = Math.min(dueMs, parent.silentAtMs);
    }
    this.dueMs = dueMs;
    for (const parentId of silent) this.#parents.delete(parentId);
    return { ask, silent };
  }

  /** When this check is late, so is the reading of messages: what arrived meanwhile is read first. */
  #isSilent(parent: Watched, nowMs: number): boolean {
    const lateMs = nowMs - parent.silentAtMs;
    if (lateMs < 0) return false;
    if (lateMs <= this.#limits.lateMs || parent.lateLooks >= mostLateLooks) return true;
    parent.lateLooks += 1;
    parent.silentAtMs = nowMs + Math.min(this.#patienceMs, 2 * lateMs);
    return false;
  }

  get #patienceMs(): number {
    const { lifeMs, lifeMostMs } = this.#limits;
    return Math.min(lifeMostMs, Math.max(lifeMs, patience * Math.max(this.#answerMs, this.#othersMs)));
  }
}
