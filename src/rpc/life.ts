/**
 * Whether a server that owes something is still there. A busy one answers its health service, a stopped one, or one behind a
 * dead line, answers nothing; how its connection looks says little for minutes.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { DragonflyError, toDragonflyError } from '../core/errors.ts';
import type { AnswerPace } from './answer-pace.ts';

export interface LifeTimes {
  /** Before the first question; twice as long before each further one, up to the last. */
  readonly quietMs: number;
  readonly mostQuietMs: number;
  /** So long an answer may take; longer where others took long, too. */
  readonly answerMs: number;
}

/** How many times longer than the longest answer of late one may take. */
const patience = 4;
/** Nobody is waited for longer than this. */
export const longestAnswerMs = 5_000;

/** Whoever looks later than this has not heard either: the same wait begins again. */
const lateMs = 50;
const mostLateLooks = 3;

/**
 * Rejects with UNAVAILABLE when the server gives no sign of life, with the signal's reason when that aborts; never resolves.
 * @param ask resolves when the server has answered anything, rejects when it cannot be reached.
 */
export async function silence(
  ask: (signal: AbortSignal) => Promise<void>,
  { quietMs, mostQuietMs, answerMs, pace }: LifeTimes & { readonly pace: AnswerPace },
  signal: AbortSignal,
): Promise<never> {
  for (let pauseMs = quietMs; ; pauseMs = Math.min(2 * pauseMs, mostQuietMs)) {
    await delay(pauseMs, undefined, { signal });
    const question = new AbortController();
    try {
      await answered(ask(AbortSignal.any([signal, question.signal])), patienceWith(answerMs, pace));
    } finally {
      question.abort();
    }
    signal.throwIfAborted();
  }
}

/** How long to wait for an answer that takes `answerMs` at most where nothing is slow. */
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
    // The call has a deadline of its own.
    throw toDragonflyError(error).code === 'DEADLINE_EXCEEDED' ? noLife(answerMs) : error;
  } finally {
    stop();
  }
}

/** Calls back after that time, in which this process was itself awake. @returns what stops it. */
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

export function noLife(ms: number): DragonflyError {
  return new DragonflyError('UNAVAILABLE', `no sign of life within ${Math.round(ms)} ms`);
}
