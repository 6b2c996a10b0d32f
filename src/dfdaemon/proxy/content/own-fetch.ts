/**
 * The client's own request as what a download reads from the origin, should this node be the one to go there: question and fetch
 * in one, for content of which nothing is known yet. It is sent only when the scheduler lets this node fetch, so that of several
 * nodes one asks for the bytes, and the others ask whether they may have them. An answer that names nothing is the client's own.
 */
import { DragonflyError } from '../../../core/errors.ts';
import type { SourceBody } from '../../source/source.ts';
import type { DownloadRequest, OpenedOrigin, OpenTask } from '../../task/open-task.ts';
import type { Exchange } from '../exchange.ts';
import { flat, type AnswerHeader } from '../proof/answer-header.ts';
import { AnsweredRequest } from '../proof/opened-origin.ts';
import type { OriginAnswer } from '../proof/question.ts';
import type { Representation } from '../proof/representation.ts';
import { variantOf } from '../proof/variant.ts';
import { rangeDemand } from '../wire/range-answer.ts';
import type { TaskAnswers } from './task-answers.ts';

/** What came of the client's own request. */
interface OwnOutcome {
  /** What it names, if the bytes of its answer may be stored as the content of its URL. */
  readonly storable?: Representation | undefined;
  readonly inHand: OriginAnswer | undefined;
}

class OwnFetch<Outcome extends OwnOutcome> implements OpenedOrigin {
  /** Settles when the download has sent the request. */
  readonly begun: Promise<void>;
  /** Settles when somebody else holds the content, or brings it. */
  readonly others: Promise<void>;
  readonly othersBring: () => void;
  readonly outcome: Promise<Outcome>;
  readonly #ask: () => Promise<Outcome>;
  readonly #begin: () => void;
  readonly #answered: (outcome: Outcome) => void;
  #state: 'waiting' | 'begun' | 'withdrawn' = 'waiting';

  constructor(ask: () => Promise<Outcome>) {
    this.#ask = ask;
    ({ promise: this.others, resolve: this.othersBring } = Promise.withResolvers<void>());
    ({ promise: this.begun, resolve: this.#begin } = Promise.withResolvers<void>());
    ({ promise: this.outcome, resolve: this.#answered } = Promise.withResolvers<Outcome>());
  }

  /** From now on the download asks for itself. False when it has sent the client's request. */
  withdraw(): boolean {
    if (this.#state === 'begun') return false;
    this.#state = 'withdrawn';
    return true;
  }

  async take(): Promise<SourceBody | undefined> {
    if (this.#state !== 'waiting') return undefined;
    this.#state = 'begun';
    this.#begin();
    const outcome = await this.#ask();
    this.#answered(outcome);
    const { storable, inHand } = outcome;
    const body = storable && inHand && new AnsweredRequest(inHand, storable).take();
    if (body) return body;
    throw new DragonflyError('CANCELLED', 'the origin’s answer to the client names no content that could be shared');
  }
}

/** What came of the client's own request, or nothing where somebody else is at the origin. */
export interface Fetched<Outcome> {
  readonly outcome?: Outcome;
  /** If it was opened. */
  readonly task?: OpenTask | undefined;
  /** Ends the waiting for it otherwise. */
  readonly waiting?: AsyncDisposable;
}

interface OwnFetchOptions<Outcome> {
  readonly tasks: TaskAnswers;
  readonly request: DownloadRequest;
  /** Sends the client's own request; never rejects. */
  readonly ask: () => Promise<Outcome>;
  /** Waits for what others bring. */
  readonly patient?: boolean;
}

/** The first requests of clients under way; those that an origin cannot tell apart share one. */
export class OwnFetches<Outcome extends OwnOutcome> {
  readonly #running = new Map<string, Promise<Fetched<Outcome>>>();

  /** @param key equal for requests that an origin cannot tell apart; only the first gets the answer and the task. */
  async fetch(key: string, exchange: Exchange, options: OwnFetchOptions<Outcome>): Promise<Fetched<Outcome>> {
    const running = this.#running.get(key);
    if (running) {
      const { outcome } = await running;
      // What the other one was told, or not, is its own answer.
      return outcome ? { outcome: { ...outcome, inHand: undefined, storable: undefined, failure: undefined } } : {};
    }
    const fetching = fetchByOwnRequest(exchange, options).finally(() => this.#running.delete(key));
    this.#running.set(key, fetching);
    return fetching;
  }
}

/** Opens the task, with the client's own request to begin with should this node be the one at the origin. Never rejects. */
export async function fetchByOwnRequest<Outcome extends OwnOutcome>(
  exchange: Exchange,
  { tasks, request, ask, patient = false }: OwnFetchOptions<Outcome>,
): Promise<Fetched<Outcome>> {
  const own = new OwnFetch(ask);
  const asked = { ...request, opened: own, prefersOrigin: true };
  const leaving = new AbortController();
  const signal = AbortSignal.any([exchange.signal, leaving.signal]);
  const opening = tasks.open(asked, rangeDemand(undefined), { ...exchange, signal }).catch(() => undefined);
  const leave = async (): Promise<void> => {
    leaving.abort(new DragonflyError('CANCELLED', 'nobody waits for the task any more'));
    await (await opening)?.[Symbol.asyncDispose]();
  };
  const others = patient ? [] : [own.others];
  const told = await Promise.race([own.begun, opening, ...others]);
  if (own.withdraw()) return told && 'taskId' in told ? { task: told } : { waiting: { [Symbol.asyncDispose]: leave } };
  const outcome = await own.outcome;
  if (outcome.storable) return { outcome, task: await opening };
  void leave();
  return { outcome };
}

/** What an origin chooses by fields of the request is stored apart for each choice, so it cannot be what the URL names. */
export function storableOf(
  { header }: Exchange,
  object: { readonly header: AnswerHeader; readonly representation: Representation } | undefined,
  statusCode: number | undefined,
): Representation | undefined {
  if (!object || statusCode !== 200) return undefined;
  return variantOf(flat(object.header)['vary'], header) === '' ? object.representation : undefined;
}
