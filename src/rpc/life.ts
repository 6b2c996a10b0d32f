/**
 * Whether a server that owes something is alive. A busy one answers its health service; a stopped one, or one behind a
 * dead link, does not. The state of the connection says little for minutes.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import type { AnswerPace } from './answer-pace.ts';

export interface LifeTimes {
  /** Time before the first question; doubled before each further one, up to the maximum. */
  readonly quietMs: number;
  readonly mostQuietMs: number;
  /** How long an answer may take; longer where others took longer. */
  readonly answerMs: number;
  /** Questions in a row that must stay without an answer; one by default. A lost call is not a dead server. */
  readonly questions?: number;
  /** Its own answers count as well as those of others. */
  readonly server?: string;
}

/** An answer may take this many times longer than the longest recent one. */
const patience = 4;
/** The same beside the server's own: less, since one that is getting sick must not buy time by it. */
const ownPatience = 2;
/** Maximum wait for any answer. */
export const longestAnswerMs = 5_000;

/** When a check runs later than this, so does the reading of messages: the wait starts again. */
const lateMs = 50;
const mostLateLooks = 3;

/**
 * Rejects with UNAVAILABLE when the server gives no sign of life, or with the signal's reason; never resolves. @param
 * ask resolves with any answer of the server, rejects when it cannot be reached.
 */
export async function silence(
  ask: (signal: AbortSignal) => Promise<void>,
  times: LifeTimes & { readonly pace: AnswerPace },
  signal: AbortSignal,
): Promise<never> {
  const { quietMs, mostQuietMs } = times;
  for (let pauseMs = quietMs; ; pauseMs = Math.min(2 * pauseMs, mostQuietMs)) {
    await delay(pauseMs, undefined, { signal });
    await requireAnswer(ask, times, signal);
    signal.throwIfAborted();
  }
}

/** An answer to any of the questions will do: the first one may just take long. */
async function requireAnswer(
  ask: (signal: AbortSignal) => Promise<void>,
  { answerMs, questions = 1, server, pace }: LifeTimes & { readonly pace: AnswerPace },
  signal: AbortSignal,
): Promise<void> {
  const asking = new AbortController();
  const asked: Promise<void>[] = [];
  const ownMs = server === undefined ? 0 : Math.min(longestAnswerMs, ownPatience * pace.ownMs(server));
  try {
    for (let left = questions; left > 0; left -= 1) {
      const question = ask(AbortSignal.any([signal, asking.signal]));
      question.catch(() => undefined);
      asked.push(question);
      const patienceMs = Math.max(ownMs, patienceWith(questions * answerMs, pace) / questions);
      try {
        return await answered(Promise.race(asked), patienceMs);
      } catch (error) {
        // A refused connection is an answer of the machine that nothing more will come.
        if (left === 1 || signal.aborted || silenceOf(error) === undefined) throw error;
      }
    }
  } finally {
    asking.abort();
  }
}

/** How long to wait for an answer that normally takes at most `answerMs`. */
export function patienceWith(answerMs: number, pace: AnswerPace): number {
  return Math.max(answerMs, Math.min(longestAnswerMs, patience * pace.longestMs));
}

/** Throws UNAVAILABLE when the answer does not come. */
async function answered(answer: Promise<void>, answerMs: number): Promise<void> {
  const { promise: silent, reject } = Promise.withResolvers<never>();
  const stop = patientTimer(answerMs, () => reject(noLife(answerMs)));
  try {
    await Promise.race([answer, silent]);
  } catch (error) {
    // The call's own deadline has passed.
    throw toDragonflyError(error).code === 'DEADLINE_EXCEEDED' ? noLife(answerMs) : error;
  } finally {
    stop();
  }
}

/** Calls back after that time, counting only time in which this process was running. @returns a function that stops it. */
export function patientTimer(ms: number, callback: () => void): () => void {
  let timer: NodeJS.Timeout;
  let looks = 0;
  const wait = (): void => {
    const dueMs = performance.now() + ms;
    timer = setTimeout(() => {
      looks += 1;
      if (performance.now() > dueMs + lateMs && looks <= mostLateLooks) wait();
      else callback();
    }, ms);
  };
  wait();
  return () => clearTimeout(timer);
}

/** Who gave no sign of life: one of several servers that could be asked, or every one of them. */
export type Silence = 'one' | 'all';

const silences = new WeakMap<Error, Silence>();

export function noLife(ms: number): DragonflyError {
  return asSilence(new DragonflyError('UNAVAILABLE', `no sign of life within ${Math.round(ms)} ms`), 'one');
}

export function asSilence<E extends Error>(error: E, of: Silence): E {
  silences.set(error, of);
  return error;
}

/** Undefined where something did answer: a connection that is refused or breaks may mean a restart, and is another matter. */
export function silenceOf(failure: unknown): Silence | undefined {
  for (let error = failure; error instanceof Error; error = error.cause) {
    const silence = silences.get(error);
    if (silence) return silence;
  }
  return undefined;
}
