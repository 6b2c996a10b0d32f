/**
 * Answers a GET of an object that its URL names, doing what a shared cache may do and no more.
 *
 * What the origin calls fresh is reused as it is. Otherwise the origin is asked on behalf of this caller, with a
 * request whose answer can be passed on: a conditional one where something is stored, the client's own where nothing
 * is. When the answer names stored bytes by a strong validator and their length, those bytes are sent from wherever
 * they are nearest; the answer to the client's own request is what a download reads first. In any other case the
 * client's own request goes to its origin.
 */
import type { IncomingMessage } from 'node:http';
import { outside, resolveRange } from '../../../core/byte-range.ts';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import type { DownloadRequest, OpenTask } from '../../task/open-task.ts';
import { LRUCache } from 'lru-cache';
import { answerError } from '../answers.ts';
import type { ClientCall } from '../client-call.ts';
import { forwardedResponseHeader } from '../wire/header.ts';
import { proxyLimits } from '../limits.ts';
import type { OriginAccess } from '../proof/origin-access.ts';
import { aboutContent, flat, headerOfAnswer, ofStoredContent, refreshed } from '../proof/answer-header.ts';
import { callerKey, callerOf } from '../proof/caller.ts';
import { Freshness, onlyIfCached } from '../proof/freshness.ts';
import { isOtherPage, KnownObjects, representationOfTask, type KnownObject } from '../proof/known-objects.ts';
import { AnsweredRequest } from '../proof/opened-origin.ts';
import { relayOwn } from '../proof/own-request.ts';
import { sendOwn } from '../wire/direct.ts';
import type { Possession } from '../proof/possession.ts';
import { judgePreconditions } from '../proof/preconditions.ts';
import { askOrigin, type OriginAnswer } from '../proof/question.ts';
import { representationOf, sameRepresentation } from '../proof/representation.ts';
import { nothingToTell, objectToTell, sharedFirst, type SharedObject } from '../proof/shared-object.ts';
import type { SharedProofs } from '../proof/shared-proofs.ts';
import { sharedRequest } from '../proof/shared-request.ts';
import { signedHeaders } from '../proof/signed-headers.ts';
import { SmallAnswers } from '../proof/small-answers.ts';
import { isOfUrl, variantOf } from '../proof/variant.ts';
import { rangeDemand } from '../wire/range-answer.ts';
import { sendSmall } from './send-small.ts';
import { inquiryOf, namelessKey, ownInquiry, type Inquiry } from './inquiry.ts';
import { forOthers, type InHand, type Outcome, type Proof } from './outcome.ts';
import { OwnFetches, storableOf, type Fetched } from './own-fetch.ts';
import type { TaskAnswers, TaskOpener } from './task-answers.ts';
import { describeObject, heldObject, objectQuestion } from './without-origin.ts';
import type { Upstream } from '../wire/upstream.ts';

export interface ObjectAnswersOptions {
  readonly tasks: TaskAnswers;
  readonly engine: TaskOpener;
  readonly upstream: Upstream;
  readonly access: OriginAccess;
  readonly possession: Possession;
  readonly shared: SharedProofs;
  /** Other nodes may hold content, or want it at the same time. */
  readonly hasSwarm: () => boolean;
}

export class ObjectAnswers {
  readonly #options: ObjectAnswersOptions;
  readonly #small = new SmallAnswers();
  readonly #known: KnownObjects;
  /** Objects that the origin does not identify, or identifies anew with each answer: asking about them is pointless. */
  readonly #nameless = new LRUCache<string, true>({ max: proxyLimits.knownObjects, ttl: proxyLimits.namelessMs });
  /** URLs that were changed: nothing stored for them is fresh until the origin has been asked. */
  readonly #changed = new LRUCache<string, true>({ max: proxyLimits.knownObjects });
  readonly #asking = new Map<string, Promise<Outcome>>();
  readonly #first = new OwnFetches<Outcome>((outcome) => ({ ...outcome, proof: forOthers(outcome.proof) }));

  constructor(options: ObjectAnswersOptions) {
    this.#options = options;
    this.#known = new KnownObjects(options.engine);
  }

  /** Answers in every case. */
  async answer(call: ClientCall, request: DownloadRequest): Promise<void> {
    const { header, url } = call;
    const small = this.#small.find(url, header);
    if (small?.freshness.isFresh(url, header)) return sendSmall(call, small, this.#options.tasks);
    const known = this.#known.of(request);
    const fresh = known.find(
      ({ freshness }) => freshness?.isFresh(url, header) === true && !this.#changed.has(url.href),
    );
    if (fresh) {
      const age = fresh.freshness?.ageSeconds ?? 0;
      return this.#serve(call, request, { ...fresh, header: { ...fresh.header, age: String(age) } }, undefined);
    }
    if (onlyIfCached(header)) return this.#nothingCached(call);
    const nameless = this.#nameless.has(namelessKey(this.#options.engine.taskIdOf(request), header));
    const isNew = !small && known.length === 0 && !nameless;
    const { outcome: first, task, waiting } = isNew ? await this.#byOwnRequest(call, request) : {};
    await using _kept = task ?? waiting; // the task stays open while the origin is asked about it
    const conclude = (outcome: Outcome & { readonly task?: OpenTask | undefined }): Promise<void> => {
      waiting?.decide(isOfUrl(call.header, outcome.proof.object?.header));
      return this.#conclude(call, request, outcome);
    };
    if (first) return await conclude({ ...first, task });
    const isGranted = (of: KnownObject): boolean => this.#options.access.isGranted(this.#questionOf(call, request, of));
    const here = this.#known.held(request, header, isGranted);
    // A signature in the URL is judged with the conditions it comes with: what it is told is about these bytes.
    const isSigned = callerKey(header) === '' && callerOf(call) !== '';
    const held = { small, ...here, toProve: here.toProve && !isSigned };
    const inquiry = inquiryOf(call, held, { nameless, alone: !this.#options.hasSwarm() });
    if (!inquiry) return this.#own(call, request);
    const outcome = await this.#ask(call, request, inquiry);
    // An origin that does not answer a part may still answer the whole, and name it.
    const again = !outcome.proof.small && !outcome.proof.object && !inquiry.faithful && header['range'] === undefined;
    await conclude(again ? await this.#ask(call, request, { ...ownInquiry(call), known: held.known }) : outcome);
  }

  /** @param outcome includes the task that reads from the answer in hand, if one does. */
  async #conclude(
    call: ClientCall,
    request: DownloadRequest,
    {
      proof,
      inHand: answer,
      failure,
      storable,
      isLate = false,
      task,
    }: Outcome & { readonly task?: OpenTask | undefined },
  ): Promise<void> {
    const { tasks } = this.#options;
    const inHand = storable ? undefined : answer; // a download has read from the answer
    // Other nodes may have reported another version meanwhile.
    if (task && storable && proof.object && sameRepresentation(representationOfTask(task), storable))
      return tasks.send(call, {
        request,
        task,
        demand: rangeDemand(call.header['range']),
        header: proof.object.header,
      });
    if (proof.small) {
      inHand?.discard();
      return sendSmall(call, proof.small, this.#options.tasks);
    }
    // A part that is not the requested one, or one of several choices, is no beginning of what could be stored.
    if (inHand && (isLate || inHand.statusCode === 206)) return relayOwn(call, inHand.first, this.#small);
    if (proof.object) return this.#serve(call, request, proof.object, inHand);
    if (inHand) return relayOwn(call, inHand.first, this.#small);
    if (failure) return this.#away(call, request, failure);
    return this.#own(call, request);
  }

  /** The content at this URL has been changed. */
  changed(href: string): void {
    this.#small.forget(href);
    this.#changed.set(href, true);
  }

  /**
   * For content of which nothing is known: the client's own request is the question, and also the fetch if this node is
   * to go to the origin. Returns no outcome when another node is there already, or when a separate question is better.
   */
  async #byOwnRequest(call: ClientCall, request: DownloadRequest): Promise<Fetched<Outcome>> {
    const { tasks, hasSwarm } = this.#options;
    const { header, options } = call;
    const named = options.contentForCalculatingTaskId !== undefined;
    const demand = rangeDemand(header['range']);
    const isPart = demand.kind !== 'whole';
    if (demand.kind === 'several' || (isPart && signedHeaders(header, call.url).has('range'))) return {};
    if (named || !hasSwarm() || !tasks.mayGoToSource) return {};
    const inquiry = ownInquiry(call);
    const { range: _, ...apartFromRange } = header;
    const { key } = sharedRequest({ kind: 'first', url: call.url, header: apartFromRange, dependsOn: 'request' });
    const ask = async (): Promise<Outcome> => {
      const outcome = await this.#put(call, request, inquiry);
      return { ...outcome, ...storableOf(call, outcome.proof.object, outcome.inHand) };
    };
    const first = (): Promise<Fetched<Outcome>> => this.#first.fetch(key, call, { tasks, request, ask, demand });
    const answered = await this.#options.shared.once({
      ...this.#subject(call, request),
      ask: first,
      schema: sharedFirst,
      told: ({ outcome }) => {
        const told = outcome?.proof.object && objectToTell(outcome.proof.object);
        return told ?? (outcome && !isPart ? nothingToTell : undefined); // an origin that refuses a part may give another one
      },
    });
    if (!answered.told) return answered.own;
    // The origin is unlikely to tell this caller anything that others could use.
    if (!('validator' in answered.told)) return { outcome: await this.#put(call, request, inquiry) };
    return { outcome: this.#told(call, request, answered.told) };
  }

  /** Callers that ask the same at the same time with the same rights share one question. */
  async #ask(call: ClientCall, request: DownloadRequest, inquiry: Inquiry): Promise<Outcome> {
    const { key } = sharedRequest({ kind: 'object', url: call.url, header: inquiry.header, dependsOn: 'request' });
    const running = this.#asking.get(key);
    if (running) {
      const { proof } = await running; // an answer in hand belongs to the other caller, whether or not it was sent
      return { proof: forOthers(proof), inHand: undefined };
    }
    const asking = this.#putOnce(call, request, inquiry).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  /** Nodes of the cluster share one question, too. A client's own request is never shared. */
  async #putOnce(call: ClientCall, request: DownloadRequest, inquiry: Inquiry): Promise<Outcome> {
    const ask = (): Promise<Outcome> => this.#put(call, request, inquiry);
    if (inquiry.faithful) return ask();
    const answered = await this.#options.shared.once({
      ...this.#subject(call, request),
      ask,
      schema: sharedFirst,
      told: ({ proof: { object } }) => object && objectToTell(object),
    });
    if (!answered.told) return answered.own;
    return 'validator' in answered.told ? this.#told(call, request, answered.told) : ask();
  }

  #subject({ url, header }: ClientCall, request: DownloadRequest) {
    const more = [this.#options.engine.taskIdOf(request)];
    return { byDigest: false, ...sharedRequest({ kind: 'object', url, header, more, dependsOn: 'object' }) };
  }

  /** The origin has answered another node's equal request with the same credentials. */
  #told(call: ClientCall, request: DownloadRequest, { header, ...representation }: SharedObject): Outcome {
    const object = { representation, header, freshness: undefined };
    this.#noteProof(call, request, object);
    return { proof: { object }, inHand: undefined };
  }

  /** Never rejects: a question that fails proves nothing. */
  async #put(call: ClientCall, request: DownloadRequest, inquiry: Inquiry): Promise<Outcome> {
    const { header, faithful, conditions } = inquiry;
    const conditional = Object.keys(conditions).length > 0;
    const signal = faithful ? call.signal : AbortSignal.timeout(proxyLimits.probeTimeoutMs);
    let answer: OriginAnswer;
    try {
      answer = await askOrigin(this.#options.upstream, call, {
        header,
        signal,
        ...(faithful && { own: { conditions, hasOther: this.#heldFor(call, request) !== undefined } }),
      });
    } catch (error) {
      return { proof: {}, inHand: undefined, failure: faithful ? toDragonflyError(error) : undefined };
    }
    const proof = this.#proofOf(call, request, inquiry, answer);
    const partial = answer.statusCode === 206 && !faithful;
    const conditioned = answer.statusCode === 304 && conditional; // the client itself has set no such condition
    const useful = (faithful && !conditioned) || (proof.object !== undefined && !partial && answer.statusCode === 200);
    if (useful) return { proof, inHand: answer };
    answer.discard();
    return { proof, inHand: undefined };
  }

  #proofOf(call: ClientCall, request: DownloadRequest, inquiry: Inquiry, answer: OriginAnswer): Proof {
    const { statusCode, header, message } = answer;
    const { url } = call;
    if (statusCode === 304 && Object.keys(inquiry.conditions).length > 0)
      return this.#unchanged(call, request, inquiry, message);
    const unasked = statusCode === 206 && inquiry.header['range'] === undefined; // it is part of something that nobody asked for
    const isElse = answer.endsAtPage || isOtherPage(header, inquiry.known);
    const representation = isElse || unasked ? undefined : representationOf(statusCode, header);
    if (!representation) {
      if (statusCode < 300 && !isElse) this.#noteNameless(call, request);
      return {};
    }
    const freshness = new Freshness({ url, requestHeader: call.header, statusCode: 200, header });
    // Other nodes get it from here rather than each from the origin.
    const ownAlone = inquiry.faithful && !this.#options.hasSwarm();
    if (statusCode === 200 && ownAlone && this.#small.mayKeep(freshness, message)) return {};
    const whole = statusCode !== 206;
    const object = { representation, header: headerOfAnswer(forwardedResponseHeader(message), { whole }), freshness };
    this.#noteProof(call, request, object);
    return { object };
  }

  /** A 304 to our own condition confirms the bytes that the condition named, unless its validator names others. */
  #unchanged(call: ClientCall, request: DownloadRequest, inquiry: Inquiry, message: IncomingMessage): Proof {
    const { small, known } = inquiry;
    const { url, header } = call;
    const news = forwardedResponseHeader(message);
    const told = flat(news)['etag'];
    if (
      small &&
      (told === undefined || told === flat(small.header)['etag'] || flat(small.header)['etag'] === undefined)
    )
      return { small: this.#small.refresh(url, header, small, news) };
    const changed = flat(news)['last-modified'];
    const [object, ...more] = known.filter(({ representation: { validator } }) => {
      const now = validator.startsWith('"') ? told : changed;
      return now === undefined || now === validator;
    });
    if (!object || more.length > 0) return {};
    const isOwn = object.toldTo === callerOf(call); // what another caller was told may be about him
    const merged = refreshed(isOwn ? object.header : aboutContent(object.header), news);
    const freshness = new Freshness({ url, requestHeader: header, statusCode: 200, header: flat(merged) });
    const proven = { ...object, header: merged, freshness };
    this.#noteProof(call, request, proven);
    return { object: proven };
  }

  #noteNameless({ header }: ClientCall, request: DownloadRequest): void {
    this.#nameless.set(namelessKey(this.#options.engine.taskIdOf(request), header), true);
  }

  #noteProof(call: ClientCall, request: DownloadRequest, object: KnownObject): void {
    this.#known.note(request, { ...object, toldTo: callerOf(call) });
    this.#changed.delete(call.url.href);
    this.#options.access.prove(this.#questionOf(call, request, object));
  }

  /** Sends the proven bytes; when no node has them as proven, the client's own request goes to the origin. */
  async #serve(
    call: ClientCall,
    request: DownloadRequest,
    { representation, header }: KnownObject,
    inHand: InHand,
  ): Promise<void> {
    const { tasks } = this.#options;
    const judgement = judgePreconditions(call.header, flat(header));
    if (judgement === 'notModified' || judgement === 'failed') {
      inHand?.discard();
      if (judgement === 'failed') return this.#own(call, request); // the origin's own response explains it
      return tasks.notModified(call, header);
    }
    const demand = judgement === 'ignoreRange' ? rangeDemand(undefined) : rangeDemand(call.header['range']);
    if (demand.kind === 'one' && !resolveRange(demand.spec, representation.lengthBytes)) {
      inHand?.discard();
      return tasks.failed(call, outside(representation.lengthBytes));
    }
    const opened = inHand && new AnsweredRequest(inHand, representation);
    const variant = variantOf(flat(header)['vary'], call.header);
    for (const identity of this.#known.identities(request, representation, variant)) {
      const asked = { ...identity, opened };
      let task;
      try {
        task = await tasks.open(asked, demand, call);
      } catch (error) {
        const unsatisfiable = toDragonflyError(error).code === 'RANGE_NOT_SATISFIABLE';
        const own = unsatisfiable ? undefined : opened?.giveBack();
        if (own) return relayOwn(call, own.first, this.#small);
        opened?.letGo();
        return tasks.failed(call, error);
      }
      const same = sameRepresentation(representationOfTask(task), representation);
      if (same && (await this.#options.possession.isGiven(call, { request: asked, task }))) {
        opened?.letGo();
        const told = { ...ofStoredContent(task.responseHeader), ...header };
        return tasks.send(call, { request: asked, task, demand, header: told });
      }
      await task[Symbol.asyncDispose]();
    }
    this.#noteNameless(call, request);
    const own = opened?.giveBack();
    if (own) return relayOwn(call, own.first, this.#small);
    return this.#own(call, request);
  }

  /** Sends the client's own request, whose answer proves nothing. */
  async #own(call: ClientCall, request: DownloadRequest): Promise<void> {
    let message: IncomingMessage;
    try {
      message = await sendOwn(call, this.#options.upstream, { hasOther: this.#heldFor(call, request) !== undefined });
    } catch (error) {
      return this.#away(call, request, toDragonflyError(error));
    }
    await relayOwn(call, message, this.#small);
  }

  /** Answers when the origin cannot be asked. */
  async #away(call: ClientCall, request: DownloadRequest, failure: DragonflyError): Promise<void> {
    const { response, record, kind } = call;
    record.error = failure;
    if (failure.code !== 'CANCELLED' && (await this.#withoutOrigin(call, request))) return;
    answerError(response, failure, { kind, type: 'proxy' });
  }

  /** Serves what is stored to callers that were proven to be allowed to have it. */
  async #withoutOrigin(call: ClientCall, request: DownloadRequest): Promise<boolean> {
    const object = this.#heldFor(call, request);
    if (object) await this.#serve(call, request, object, undefined);
    return object !== undefined;
  }

  /** What answers HEAD when the origin cannot be asked; undefined when nothing is held for this caller. */
  described(call: ClientCall, request: DownloadRequest): (() => boolean) | undefined {
    const object = this.#heldFor(call, request);
    return object && (() => describeObject(call, object, this.#options.tasks));
  }

  /** What this caller gets while the origin cannot be asked. */
  #heldFor(call: ClientCall, request: DownloadRequest): KnownObject | undefined {
    return heldObject(call, request, { ...this.#options, known: this.#known });
  }

  #questionOf(call: ClientCall, request: DownloadRequest, object: KnownObject) {
    return objectQuestion(call, this.#options.engine.taskIdOf(request), object);
  }

  #nothingCached({ response, kind }: ClientCall): void {
    const error = new DragonflyError('UNAVAILABLE', 'nothing is stored here that is fresh');
    answerError(response, error, { kind, type: 'proxy', status: 504 });
  }
}
