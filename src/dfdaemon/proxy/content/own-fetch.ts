/**
 * The client's own request as the first thing that a download reads, if this node is the one to go to the origin:
 * question and fetch in one, for content of which nothing is known yet. The request is sent only when the scheduler
 * lets this node fetch, so that one of several nodes asks for the bytes while the others ask whether they may have
 * them. An answer that names nothing is for the client alone.
 */
import { parseContentRange, resolveRange, type ByteRange, type RangeSpec } from '../../../core/byte-range.ts';
import { DragonflyError } from '../../../core/errors.ts';
import type { SourceBody } from '../../source/source.ts';
import type { DownloadRequest, OpenedOrigin, OpenTask } from '../../task/open-task.ts';
import type { ClientCall } from '../client-call.ts';
import { flat, type AnswerHeader } from '../proof/answer-header.ts';
import { AnsweredRequest } from '../proof/opened-origin.ts';
import type { OriginAnswer } from '../proof/question.ts';
import type { Representation } from '../proof/representation.ts';
import { variantOf } from '../proof/variant.ts';
import { rangeDemand, type RangeDemand } from '../wire/range-answer.ts';
import type { TaskAnswers } from './task-answers.ts';

/** The result of the client's own request. */
interface OwnOutcome {
  /** What the answer names, if its bytes may be stored as the content of its URL. */
  readonly storable?: Representation | undefined;
  /** For an answer with a part of the content: which part. */
  readonly place?: ByteRange | undefined;
  readonly inHand: OriginAnswer | undefined;
  /** The download that was to read the answer has ended meanwhile. */
  readonly isLate?: boolean;
}

/**
 * waiting: for the download to send the request. begun: the download has sent it. asking: another node is at the
 * origin, so a question finds out what the origin calls the content. decided: the download may fetch with any request,
 * or may not fetch.
 */
type OwnState = 'waiting' | 'begun' | 'asking' | 'decided';

export class OwnFetch<Outcome extends OwnOutcome> implements OpenedOrigin {
  /** Settles when the download has sent the request. */
  readonly begun: Promise<void>;
  /** Settles when another node holds the content or brings it. */
  readonly others: Promise<void>;
  readonly othersBring: () => void;
  readonly outcome: Promise<Outcome>;
  readonly range: RangeSpec | undefined;
  readonly #ask: (() => Promise<Outcome>) | undefined;
  readonly #begin: () => void;
  readonly #answered: (outcome: Outcome) => void;
  readonly #decided = Promise.withResolvers<boolean>();
  #state: OwnState;

  /** @param ask sends the request; undefined where an equal request of another client is under way. */
  constructor(ask: (() => Promise<Outcome>) | undefined, range: RangeSpec | undefined) {
    this.#ask = ask;
    this.#state = ask ? 'waiting' : 'asking';
    this.range = range;
    ({ promise: this.others, resolve: this.othersBring } = Promise.withResolvers<void>());
    ({ promise: this.begun, resolve: this.#begin } = Promise.withResolvers<void>());
    ({ promise: this.outcome, resolve: this.#answered } = Promise.withResolvers<Outcome>());
  }

  /** From now on the download waits for a decision. False when it has already sent the client's request. */
  withdraw(): boolean {
    if (this.#state === 'begun') return false;
    if (this.#state === 'waiting') this.#state = 'asking';
    return true;
  }

  /** @param mayAsk the download is for this client and may send requests of its own. */
  decide(mayAsk: boolean): void {
    if (this.#state === 'waiting' || this.#state === 'asking') this.#state = 'decided';
    this.#decided.resolve(mayAsk);
  }

  /** Whatever is fetched beside or after the client's request must be the content that its answer has named. */
  othersMayAsk(): Promise<boolean> {
    return this.#state === 'waiting' || this.#state === 'begun' ? Promise.resolve(true) : this.#decided.promise;
  }

  async take(signal: AbortSignal): Promise<SourceBody | undefined> {
    if (this.#state !== 'waiting' || !this.#ask) return undefined;
    this.#state = 'begun';
    this.#begin();
    const told = await this.#ask();
    // Somebody else is to fetch by now, because the origin took its time: then the answer is for the client alone.
    const outcome = signal.aborted ? { ...told, storable: undefined, isLate: true } : told;
    this.#answered(outcome);
    const { storable, place, inHand } = outcome;
    const body = storable && inHand && new AnsweredRequest(inHand, storable, place).take();
    if (body) return body;
    throw new DragonflyError('CANCELLED', 'the origin’s answer to the client names no content that could be shared');
  }
}

/** The result of the client's own request; empty where another node is at the origin. */
export interface Fetched<Outcome> {
  readonly outcome?: Outcome;
  /** If it was opened. */
  readonly task?: OpenTask | undefined;
  /** Present when a download waits for a decision; dispose it when none will come. */
  readonly waiting?: Waiting | undefined;
}

/** A download that has registered and waits for a decision. */
interface Waiting extends AsyncDisposable {
  /** @param isShared this caller asks for what the URL names; otherwise the download is not for it. */
  decide(isShared: boolean): void;
}

interface OwnFetchOptions<Outcome> {
  readonly tasks: TaskAnswers;
  readonly request: DownloadRequest;
  /** Sends the client's own request; never rejects. */
  readonly ask: () => Promise<Outcome>;

  /** What the client asks for; by default everything. */
  readonly demand?: RangeDemand;
  /** Waits for content that other nodes bring. */
  readonly patient?: boolean;
}

/** The first requests of clients that are under way; clients whose requests an origin cannot tell apart share one. */
export class OwnFetches<Outcome extends OwnOutcome> {
  readonly #running = new Map<string, Promise<Fetched<Outcome>>>();
  readonly #forOthers: (outcome: Outcome) => Outcome;

  /** @param forOthers what of an outcome other callers may see */
  constructor(forOthers: (outcome: Outcome) => Outcome) {
    this.#forOthers = forOthers;
  }

  /** @param key equal for requests that an origin cannot tell apart; only the first caller gets the answer and the task. */
  async fetch(key: string, call: ClientCall, options: OwnFetchOptions<Outcome>): Promise<Fetched<Outcome>> {
    const running = this.#running.get(key);
    if (running) {
      // Another part is fetched meanwhile, before a seed is sent for the rest.
      const { demand, request } = options;
      const own = demand?.kind === 'one' ? new OwnFetch<Outcome>(undefined, demand.spec) : undefined;
      const waiting = own && openTask(call, own, { ...options, request: { ...request, opened: own } }).waiting;
      const { outcome } = await running;
      if (!outcome) return { waiting };
      // An answer in hand belongs to the other caller, whether or not it was sent.
      return {
        outcome: { ...this.#forOthers(outcome), inHand: undefined, storable: undefined, failure: undefined },
        waiting,
      };
    }
    const fetching = fetchByOwnRequest(call, options).finally(() => this.#running.delete(key));
    this.#running.set(key, fetching);
    return fetching;
  }
}

/** Opens the task, to start with the client's own request if this node is the one at the origin. Never rejects. */
export async function fetchByOwnRequest<Outcome extends OwnOutcome>(
  call: ClientCall,
  { tasks, request, ask, demand = rangeDemand(undefined), patient = false }: OwnFetchOptions<Outcome>,
): Promise<Fetched<Outcome>> {
  const own = new OwnFetch(ask, demand.kind === 'one' ? demand.spec : undefined);
  // When a reader wants only a part, a seed brings the rest.
  const asked = { ...request, opened: own, prefersOrigin: demand.kind === 'whole' };
  const { opening, waiting } = openTask(call, own, { tasks, request: asked, demand });
  const others = patient ? [] : [own.others];
  const told = await Promise.race([own.begun, opening, ...others]);
  if (own.withdraw()) {
    if (!told || !('taskId' in told)) return { waiting };
    own.decide(true);
    return { task: told };
  }
  const outcome = await own.outcome;
  if (outcome.storable) return { outcome, task: await opening };
  void waiting[Symbol.asyncDispose]();
  return { outcome };
}

/** The task while it is being opened. Never rejects. */
function openTask<Outcome extends OwnOutcome>(
  call: ClientCall,
  own: OwnFetch<Outcome>,
  { tasks, request, demand = rangeDemand(undefined) }: Pick<OwnFetchOptions<unknown>, 'tasks' | 'request' | 'demand'>,
): { readonly opening: Promise<OpenTask | undefined>; readonly waiting: Waiting } {
  const leaving = new AbortController();
  const signal = AbortSignal.any([call.signal, leaving.signal]);
  const opening = tasks.open(request, demand, { ...call, signal }).catch(() => undefined);
  const leave = async (): Promise<void> => {
    own.decide(false);
    leaving.abort(new DragonflyError('CANCELLED', 'nobody waits for the task any more'));
    await (await opening)?.[Symbol.asyncDispose]();
  };
  return { opening, waiting: { decide: (isShared) => own.decide(isShared), [Symbol.asyncDispose]: leave } };
}

/**
 * What of the answer may be stored as the content of its URL: all of it, or the requested part. Content that the origin
 * chooses by request fields is stored separately for each choice, so it is never what the URL names.
 */
export function storableOf(
  { header }: ClientCall,
  object: { readonly header: AnswerHeader; readonly representation: Representation } | undefined,
  answer: Pick<OriginAnswer, 'statusCode' | 'header'> | undefined,
): Pick<OwnOutcome, 'storable' | 'place'> {
  if (!object || !answer || variantOf(flat(object.header)['vary'], header) !== '') return {};
  const { representation: storable } = object;
  const demand = rangeDemand(header['range']);
  if (demand.kind === 'whole') return answer.statusCode === 200 ? { storable } : {};
  const place = answer.statusCode === 206 && parseContentRange(answer.header['content-range'] ?? '')?.range;
  const range = demand.kind === 'one' && resolveRange(demand.spec, storable.lengthBytes);
  if (!place || !range || place.start !== range.start || place.length !== range.length) return {};
  const told = answer.header['content-length'];
  return told === undefined || told === String(place.length) ? { storable, place } : {};
}
