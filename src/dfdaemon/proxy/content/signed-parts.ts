/**
 * Answers a GET whose signature covers its range, as SDKs of object stores send one for each part. Such a signature
 * allows nothing but this very part, for this caller. So the part is content of its own: the first client's request
 * fetches it, and no node asks the origin for it in any other way. The requests of all others are answered after a
 * conditional request to the origin: a 304, which has no body, proves that this caller may have these bytes.
 */
import { LRUCache } from 'lru-cache';
import { resolveRange, parseContentRange } from '../../../core/byte-range.ts';
import { toDragonflyError, type DragonflyError } from '../../../core/errors.ts';
import type { DownloadRequest, OpenTask } from '../../task/open-task.ts';
import type { ClientCall } from '../client-call.ts';
import { proxyLimits } from '../limits.ts';
import { flat, headerOfAnswer, headerOfTask, refreshed, type AnswerHeader } from '../proof/answer-header.ts';
import { callerKey } from '../proof/caller.ts';
import { partField } from '../proof/opened-origin.ts';
import { askOrigin, type OriginAnswer } from '../proof/question.ts';
import { representationOf, strongValidator, type Representation } from '../proof/representation.ts';
import { signedHeaders } from '../proof/signed-headers.ts';
import { variantOf } from '../proof/variant.ts';
import { forwardDirectly, relay } from '../wire/direct.ts';
import { forwardedResponseHeader } from '../wire/header.ts';
import { rangeDemand } from '../wire/range-answer.ts';
import type { Upstream } from '../wire/upstream.ts';
import { fetchByOwnRequest } from './own-fetch.ts';
import type { TaskAnswers, TaskOpener } from './task-answers.ts';

export interface SignedPartsOptions {
  readonly tasks: TaskAnswers;
  readonly engine: TaskOpener;
  readonly upstream: Upstream;
}

/** The origin's answer to the client's own request. */
interface Outcome {
  readonly inHand: OriginAnswer | undefined;
  /** What the answer names: the validator of the whole, and the length of the part. */
  readonly storable?: Representation | undefined;
  readonly failure?: DragonflyError;
}

interface Sent {
  readonly request: DownloadRequest;
  readonly task: OpenTask;
  readonly header: AnswerHeader;
}

/** The origin evaluates these before our condition. */
const harmless = new Set(['if-match', 'if-unmodified-since']);
const whole = rangeDemand(undefined);

export class SignedParts {
  readonly #options: SignedPartsOptions;
  /** Objects for which an answer named no part that could be shared. */
  readonly #nameless = new LRUCache<string, true>({ max: proxyLimits.knownObjects, ttl: proxyLimits.namelessMs });

  constructor(options: SignedPartsOptions) {
    this.#options = options;
  }

  /** The request has one signed range and can be made conditional. */
  isOne({ header, url, options }: ClientCall): boolean {
    const conditioned = Object.keys(header).some((name) => name.startsWith('if-') && !harmless.has(name));
    const named = options.contentForCalculatingTaskId !== undefined;
    if (conditioned || named || rangeDemand(header['range']).kind !== 'one' || !this.#options.tasks.mayGoToSource)
      return false;
    const signed = signedHeaders(header, url);
    return signed.has('range') && !signed.has('if-none-match');
  }

  /** Answers in every case. @param request for the whole object */
  async answer(call: ClientCall, request: DownloadRequest): Promise<void> {
    const { tasks, engine, upstream } = this.#options;
    const object = `${engine.taskIdOf(request)}\n${callerOf(call)}`;
    if (this.#nameless.has(object)) return forwardDirectly(call, upstream);
    const part = this.#partOf(call, request);
    const { outcome, task } = engine.headOf(engine.taskIdOf(part))
      ? { task: await tasks.open(part, whole, call).catch(() => undefined) }
      : await fetchByOwnRequest(call, { tasks, request: part, ask: () => this.#ask(call), patient: true });
    if (outcome?.storable && outcome.inHand && task && this.#isOf(task, outcome.storable)) {
      const header = headerOfAnswer(forwardedResponseHeader(outcome.inHand.message), { whole: true });
      return this.#send(call, { request: part, task, header });
    }
    await using _open = outcome ? task : undefined;
    if (outcome?.inHand && !outcome.storable) {
      if (outcome.inHand.statusCode < 300) this.#nameless.set(object, true);
      return relay(call, outcome.inHand.first);
    }
    if (outcome || !task) return forwardDirectly(call, upstream);
    return this.#sendAfterQuestion(call, part, task);
  }

  /** For a part that other nodes fetch or hold. */
  async #sendAfterQuestion(call: ClientCall, request: DownloadRequest, task: OpenTask): Promise<void> {
    const stored = headerOfTask(task.responseHeader);
    const { etag } = stored;
    const own = etag === undefined ? {} : { 'if-none-match': etag };
    const { inHand, failure } = await this.#ask(call, own);
    const told = inHand && forwardedResponseHeader(inHand.message);
    const same =
      inHand?.statusCode === 304 && etag !== undefined && [undefined, etag].includes(flat(told ?? {})['etag']);
    if (same && told) {
      inHand.discard();
      return this.#send(call, { request, task, header: refreshed(stored, told) });
    }
    await task[Symbol.asyncDispose]();
    // The condition is ours, not the client's: when the origin has another version, the client's own request is sent without it.
    if (inHand && inHand.statusCode !== 304) return relay(call, inHand.first);
    inHand?.discard();
    if (failure?.code === 'CANCELLED') return void call.response.destroy();
    return forwardDirectly(call, this.#options.upstream);
  }

  #send(call: ClientCall, { request, task, header }: Sent): Promise<void> {
    const { [partField]: _, ...shown } = header;
    const part = task.responseHeader[partField];
    return this.#options.tasks.send(call, { request, task, demand: whole, header: shown, part });
  }

  /** Never rejects. */
  async #ask(call: ClientCall, conditions: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    const { signal, header } = call;
    try {
      const hasOther = Object.keys(conditions).length > 0; // the client's own request is still to come
      const own = { conditions, hasOther };
      const answer = await askOrigin(this.#options.upstream, call, { header, signal, own });
      return { inHand: answer, storable: storableOf(call, answer) };
    } catch (error) {
      return { inHand: undefined, failure: toDragonflyError(error) };
    }
  }

  #partOf({ header }: ClientCall, request: DownloadRequest): DownloadRequest {
    const text = `signed part\n${this.#options.engine.taskIdOf(request)}\n${header['range'] ?? ''}`;
    return {
      ...request,
      contentForCalculatingTaskId: text,
      digest: undefined,
      blobDigestAsId: false,
      prefetch: false,
      needBackToSource: true, // no seed has the signature
      onlyOpened: true,
    };
  }

  /** The task holds the bytes that the answer named. */
  #isOf(task: OpenTask, { validator, lengthBytes }: Representation): boolean {
    return strongValidator(task.responseHeader) === validator && task.contentLengthBytes === lengthBytes;
  }
}

/** Undefined unless the answer is the requested part and has a validator. */
function storableOf({ header: asked }: ClientCall, answer: OriginAnswer): Representation | undefined {
  const { statusCode, header, endsAtPage } = answer;
  const object = statusCode === 206 && !endsAtPage ? representationOf(206, header) : undefined;
  const given = parseContentRange(header['content-range'] ?? '');
  const demand = rangeDemand(asked['range']);
  if (!object || !given || demand.kind !== 'one' || !object.validator.startsWith('"')) return undefined;
  const range = resolveRange(demand.spec, object.lengthBytes);
  const fits = range?.start === given.range.start && range.length === given.range.length;
  const length = header['content-length'];
  if (!fits || (length !== undefined && length !== String(range.length)) || variantOf(header['vary'], asked) !== '')
    return undefined;
  return { validator: object.validator, lengthBytes: range.length };
}

/** Clients sign every request anew; the id of the key is what stays the same. */
function callerOf({ header }: ClientCall): string {
  const { authorization = '' } = header;
  return /\bCredential=([^,/\s]+)/.exec(authorization)?.[1] ?? callerKey(header);
}
