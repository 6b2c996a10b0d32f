/**
 * What a registry says of a blob when asked whether the caller may read it. That suffices for the header of the answer,
 * long before the first piece is here: a digest names the blob, so it is the same wherever it comes from.
 */
import { withoutChecksums } from '../../source/checksums.ts';
import { toDragonflyError } from '../../../core/errors.ts';
import type { OpenTask } from '../../task/open-task.ts';
import type { ClientCall } from '../client-call.ts';
import type { OriginAnswer } from './question.ts';

export interface ToldBlob {
  readonly contentLengthBytes: number;
  readonly header: Readonly<Record<string, string>>;
}

/** Undefined when the registry itself did not answer: a store behind a redirect sends a header of its own. */
export function toldBlob(answer: OriginAnswer, contentLengthBytes: number): ToldBlob | undefined {
  if (answer.message !== answer.first) return undefined;
  // Checksums in an answer about some bytes are of those bytes.
  return { contentLengthBytes, header: answer.statusCode === 206 ? withoutChecksums(answer.header) : answer.header };
}

/** A plain GET of the whole blob, which needs nothing else to be answered. */
export function asksForAll({ header }: ClientCall): boolean {
  return !Object.keys(header).some((name) => name === 'range' || name.startsWith('if-'));
}

/** Whether the task matches the header that has been sent already. */
export function keepsPromise(task: OpenTask, { contentLengthBytes }: ToldBlob): boolean {
  return task.contentLengthBytes === contentLengthBytes && task.range?.length === contentLengthBytes;
}

/** The content is arriving and matches what the registry said; false while there is no task. */
export function comesIn({ settled, value }: Settling<OpenTask>, blob: ToldBlob): boolean {
  return value ? !value.local && keepsPromise(value, blob) : !settled;
}

/** Makes the outcome of a promise readable synchronously, and its rejection handled. */
export interface Settling<T> {
  readonly settled: boolean;
  /** Once it is there. */
  readonly value: T | undefined;
  readonly result: Promise<PromiseSettledResult<T>>;
}

export function settling<T>(promise: Promise<T>): Settling<T> {
  const state: { settled: boolean; value: T | undefined } = { settled: false, value: undefined };
  const result = promise.then(
    (value): PromiseSettledResult<T> => ({ status: 'fulfilled', value }),
    (error: unknown): PromiseSettledResult<T> => ({ status: 'rejected', reason: toDragonflyError(error) }),
  );
  void result.then((outcome) => {
    state.settled = true;
    if (outcome.status === 'fulfilled') state.value = outcome.value;
  });
  return Object.assign(state, { result });
}
