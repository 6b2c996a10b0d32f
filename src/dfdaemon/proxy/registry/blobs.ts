/**
 * Answers a GET of a blob. Its digest names it, so the bytes are the same wherever they come from, and all that has to
 * be found out is whether the caller may have them. The task is opened and the registry asked at the same time; the
 * header goes out when both are done, or as soon as the registry has told the size; the body follows as pieces land.
 */
import { LRUCache } from 'lru-cache';
import { DragonflyError, toDragonflyError } from '../../../core/errors.ts';
import type { DownloadRequest, OpenTask } from '../../task/open-task.ts';
import { answerError, answerOriginStatus } from '../answers.ts';
import { forwardDirectly, relay, sendOwn } from '../wire/direct.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { downloadHeader } from '../wire/header.ts';
import { proxyLimits } from '../limits.ts';
import { flat, headerOfTask } from '../proof/answer-header.ts';
import { callerOf } from '../proof/caller.ts';
import { openBlob } from '../proof/open-blobs.ts';
import type { OriginAccess } from '../proof/origin-access.ts';
import { sampleOf, samplePlace, type Possession } from '../proof/possession.ts';
import { judgePreconditions } from '../proof/preconditions.ts';
import { askOrigin, type OriginAnswer } from '../proof/question.ts';
import { learnRefusal } from '../proof/refusal.ts';
import { contentLengthOf, isPage } from '../proof/representation.ts';
import { asksForAll, comesIn, keepsPromise, settling, toldBlob, type ToldBlob } from '../proof/told-blob.ts';
import { rangeDemand } from '../wire/range-answer.ts';
import type { BlobSizes } from './blob-sizes.ts';
import type { RegistryPath } from './registry-path.ts';
import { registryScope } from './registry-scope.ts';
import { sharedYes, yesFromOther, yesToTell, type Yes } from '../proof/registry-yes.ts';
import type { SharedProofs } from '../proof/shared-proofs.ts';
import { sharedRequest, type SharedRequest } from '../proof/shared-request.ts';
import type { TaskAnswers, TaskOpener } from '../content/task-answers.ts';
import type { Upstream } from '../wire/upstream.ts';

export interface BlobAnswersOptions {
  readonly tasks: TaskAnswers;
  readonly engine: TaskOpener;
  readonly upstream: Upstream;
  readonly access: OriginAccess;
  readonly possession: Possession;
  readonly shared: SharedProofs;
  readonly sizes: BlobSizes;
  /** Other nodes may hold content, or want it at the same time. */
  readonly hasSwarm: () => boolean;
}

export class BlobAnswers {
  readonly #options: BlobAnswersOptions;
  /** Registries whose word turned out false: their answers wait for the content itself. */
  readonly #unsure = new LRUCache<string, true>({ max: proxyLimits.unsureRegistries, ttl: proxyLimits.unsureMs });
  readonly #asking = new Map<string, Promise<Yes | undefined>>();
  /** Blobs that a client of this node has deleted: what other nodes were told of them is older. */
  readonly #deleted: LRUCache<string, true>;

  constructor(options: BlobAnswersOptions) {
    this.#options = options;
    this.#deleted = new LRUCache({ max: proxyLimits.knownObjects, ttl: Math.max(1, options.access.ttlMs) });
  }

  /** A client has deleted the blob: the registry is asked anew about it, for whoever wants it. */
  deleted(url: URL, path: RegistryPath): void {
    const scope = registryScope(url, path);
    this.#options.access.forget(scope, path.reference);
    this.#deleted.set(`${scope}\n${path.reference}`, true);
  }

  /** Answers in every case. */
  async answer(call: ClientCall, request: DownloadRequest, path: RegistryPath): Promise<void> {
    const { tasks } = this.#options;
    const demand = rangeDemand(call.header['range']);
    const asking = this.#permission(call, request, path);
    await beforeRegistration();
    const opened = settling(tasks.open(request, demand, call));
    const yes = await asking;
    if (!yes) return this.#refused(call, request, path, opened.result);
    const { blob } = yes;
    if (blob && comesIn(opened, blob) && asksForAll(call) && this.#promise(call, request, blob))
      return this.#keep(call, request, opened.result, { ...yes, blob });
    const task = await opened.result;
    if (task.status === 'rejected') return tasks.failed(call, task.reason);
    if (!(await this.#fits(call, request, task.value, yes))) {
      await task.value[Symbol.asyncDispose]();
      return forwardDirectly(call, this.#options.upstream);
    }
    await this.#send(call, request, task.value, blob);
  }

  /** @param blob what this registry has told; what is stored may have come from another one */
  async #send(call: ClientCall, request: DownloadRequest, task: OpenTask, blob?: ToldBlob): Promise<void> {
    const { tasks, upstream } = this.#options;
    const header = headerOfTask(blob?.header ?? task.responseHeader);
    const judgement = judgePreconditions(call.header, flat(header));
    if (judgement === 'failed' || judgement === 'notModified') {
      await task[Symbol.asyncDispose]();
      if (judgement === 'failed') return forwardDirectly(call, upstream);
      return tasks.notModified(call, tasks.header(task, header));
    }
    if (judgement === 'go')
      return tasks.send(call, { request, task, demand: rangeDemand(call.header['range']), header });
    await task[Symbol.asyncDispose]();
    const whole = rangeDemand(undefined);
    try {
      await tasks.send(call, { request, task: await tasks.open(request, whole, call), demand: whole, header });
    } catch (error) {
      await tasks.failed(call, error);
    }
  }

  /** Undefined when the registry's answer, whatever it is, does not entitle this caller to the blob. */
  #permission(call: ClientCall, request: DownloadRequest, path: RegistryPath): Promise<Yes | undefined> {
    const { access } = this.#options;
    const question = this.#questionOf(call, path);
    if (access.isGranted(question) && this.#isShown(call, request)) return Promise.resolve({});
    const asked = this.#askedFor(call, request, path);
    const { key } = asked;
    const running = this.#asking.get(key);
    if (running) return running;
    const asking = this.#askOnce(call, { request, path, asked }).catch(() => undefined);
    this.#asking.set(key, asking);
    void asking.finally(() => this.#asking.delete(key));
    return asking;
  }

  /** Nodes share one question at a time, and its answer while it counts. */
  async #askOnce(
    call: ClientCall,
    { request, path, asked }: { request: DownloadRequest; path: RegistryPath; asked: SharedRequest },
  ): Promise<Yes | undefined> {
    const { access, shared, possession } = this.#options;
    const question = this.#questionOf(call, path);
    if (this.#deleted.has(`${question.scope}\n${question.object}`)) {
      const own = await this.#ask(call, request, path);
      if (own) access.prove(question);
      return own;
    }
    const isPlain = request.contentForCalculatingTaskId === undefined && call.url.search === '';
    const open = isPlain ? openBlob(call.url, question.scope, question.object) : undefined;
    const answered = await shared.once({
      byDigest: true,
      ...asked,
      openParts: open?.parts,
      ask: () => this.#ask(call, request, path),
      schema: sharedYes,
      told: (yes) =>
        yes && { value: { ...yesToTell(yes), isShown: this.#isShown(call, request) }, ttlMs: access.ttlMs },
    });
    if (answered.told) {
      // What a seed got anonymously is open to everybody, and the seed has fetched the whole blob from that registry.
      access.prove(answered.isOpen ? { ...question, caller: '' } : question, answered.ttlMs);
      if (answered.told.isShown || answered.isOpen) possession.noteShown(call, request);
      return yesFromOther(answered.told);
    }
    if (!answered.own) return undefined;
    access.prove(question);
    learnRefusal(call, question.scope, this.#options);
    return answered.own;
  }

  /**
   * Asks with a GET, as the blob itself would be requested, for its first byte, or for a few bytes at a random place
   * where other nodes may hold the blob: many registries answer HEAD differently. Redirects are followed, and only a
   * blob of known length at the end counts as permission.
   */
  async #ask(call: ClientCall, request: DownloadRequest, path: RegistryPath): Promise<Yes | undefined> {
    const { engine, upstream, hasSwarm, sizes } = this.#options;
    const taskId = engine.taskIdOf(request);
    const head = engine.headOf(taskId);
    const compares = !this.#isShown(call, request) && (head !== undefined || hasSwarm());
    const told = head?.contentLengthBytes ?? sizes.of(path.reference) ?? proxyLimits.nearBytes;
    const near = Math.min(told, proxyLimits.nearBytes);
    let offset = compares ? samplePlace(head?.complete === true ? head.contentLengthBytes : near) : 0;
    for (let attempt = 1; ; attempt += 1) {
      const range = `bytes=${offset}-${compares ? offset + proxyLimits.sampleBytes - 1 : 0}`;
      const signal = AbortSignal.timeout(proxyLimits.probeTimeoutMs);
      const header = { ...downloadHeader(call.header), range };
      const answer = await askOrigin(upstream, call, { header, signal });
      const total = /^bytes \*\/(\d{1,15})$/.exec(answer.header['content-range'] ?? '')?.[1];
      if (answer.statusCode === 416 && total !== undefined && Number(total) > 0 && attempt === 1) {
        answer.discard();
        offset = samplePlace(Math.min(Number(total), near));
        continue;
      }
      return yesOf(answer, path, compares ? offset : undefined);
    }
  }

  /** Whether the content is what the registry described, and the registry has it. */
  async #fits(call: ClientCall, request: DownloadRequest, task: OpenTask, yes: Yes): Promise<boolean> {
    const { lengthBytes, sample } = yes;
    const { contentLengthBytes: held } = task;
    const { possession } = this.#options;
    if (lengthBytes !== undefined && held !== undefined && held !== lengthBytes) return false;
    if (this.#isShown(call, request)) return true;
    if (sample) return possession.compare(call, request, sample).catch(() => false);
    return possession.isHad(call, request, held);
  }

  #isShown(call: ClientCall, request: DownloadRequest): boolean {
    return this.#options.possession.isShown(call, request);
  }

  /** Writes the header before the content has arrived. False when it has to wait, for instance because the download has not begun. */
  #promise(call: ClientCall, request: DownloadRequest, blob: ToldBlob): boolean {
    const { engine, tasks } = this.#options;
    if (!tasks.mayGoToSource) return false; // without access to the origin nothing could complete the body if the peers fail
    const taskId = engine.taskIdOf(request);
    const peerId = engine.peerIdOf(taskId);
    if (peerId === undefined || call.signal.aborted || this.#unsure.has(call.url.origin)) return false;
    const { response, record } = call;
    record.taskId = taskId;
    record.peerId = peerId;
    const header = tasks.header({ taskId, peerId, local: false }, headerOfTask(blob.header));
    response.writeHead(200, { ...header, 'content-length': String(blob.contentLengthBytes) });
    response.flushHeaders();
    noteFirstByte(record);
    return true;
  }

  /** Sends the body after a header that is out: from the peers, else from the origin; otherwise breaks the connection. */
  async #keep(
    call: ClientCall,
    request: DownloadRequest,
    opened: Promise<PromiseSettledResult<OpenTask>>,
    yes: Yes & { readonly blob: ToldBlob },
  ): Promise<void> {
    const { record, kind, response } = call;
    const { tasks } = this.#options;
    const given = await opened;
    const task = given.status === 'fulfilled' ? given.value : undefined;
    try {
      if (task) {
        if (!keepsPromise(task, yes.blob))
          throw new DragonflyError('SOURCE_CHANGED', 'the blob has another length now');
        if (!(await this.#fits(call, request, task, yes)))
          throw new DragonflyError('PERMISSION_DENIED', 'the registry does not have the blob it says it has');
        await tasks.copyWhole(call, task);
      } else if (given.status === 'rejected') {
        await tasks.copyFromSource(call, yes.blob.contentLengthBytes, toDragonflyError(given.reason));
      }
    } catch (error) {
      record.error = toDragonflyError(error);
      if (!call.signal.aborted) this.#unsure.set(call.url.origin, true);
      answerError(response, record.error, { kind, type: 'dfdaemon' });
    } finally {
      await task?.[Symbol.asyncDispose]();
    }
  }

  /** Sends the client's own request; while the registry is unreachable, the configuration and the registry's earlier answer decide. */
  async #refused(
    call: ClientCall,
    request: DownloadRequest,
    path: RegistryPath,
    opened: Promise<PromiseSettledResult<OpenTask>>,
  ): Promise<void> {
    const { access, upstream } = this.#options;
    const { response, record, kind } = call;
    const question = this.#questionOf(call, path);
    let failure: DragonflyError | undefined;
    try {
      const message = await sendOwn(call, upstream, { hasOther: access.servesEverybodyWithoutOrigin });
      const { statusCode = 502 } = message;
      access.remember(question.scope, { statusCode, header: flat(message.headers as Record<string, string>) });
      const away = statusCode >= 500 && access.servesEverybodyWithoutOrigin;
      if (!away) {
        void closed(opened);
        record.way = 'direct';
        return await relay(call, message);
      }
      message.destroy();
    } catch (error) {
      failure = toDragonflyError(error);
    }
    const given = await opened;
    try {
      if (failure?.code === 'CANCELLED') throw failure;
      access.whileDown(question.scope, failure);
      if (given.status === 'rejected') throw failure ?? given.reason;
    } catch (error) {
      await closed(opened);
      record.error = toDragonflyError(error);
      if (record.error.details?.statusCode !== undefined) return answerOriginStatus(response, record.error, true);
      return answerError(response, record.error, { kind, type: 'proxy' });
    }
    await this.#send(call, request, given.value);
  }

  #questionOf(call: ClientCall, path: RegistryPath) {
    return { scope: registryScope(call.url, path), object: path.reference, caller: callerOf(call) };
  }

  /** Whether the caller may have the blob, whichever part of it, and on whatever condition. */
  #askedFor({ url, header }: ClientCall, request: DownloadRequest, path: RegistryPath): SharedRequest {
    const content = [registryScope(url, path), path.reference];
    const more = [request.contentForCalculatingTaskId ?? ''];
    return sharedRequest({ kind: 'blob', url, header, content, more, dependsOn: 'rights' });
  }
}

/**
 * The scheduler gets the short question first, on a turn of its event loop that is its own: the answer to it would wait for a
 * registration that came with it, and the client for its header.
 */
function beforeRegistration(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function closed(opened: Promise<PromiseSettledResult<OpenTask>>): Promise<void> {
  const given = await opened;
  if (given.status === 'fulfilled') await given.value[Symbol.asyncDispose]();
}

/** Of the same algorithm; by another one, which some registries answer with, only the content can tell. */
function namesOther(claimed: string | undefined, digest: string): boolean {
  const [algorithm] = digest.split(':');
  return claimed !== undefined && claimed !== digest && (claimed.startsWith(`${algorithm}:`) || claimed.includes(','));
}

/** Reads as much of the answer as needed and releases it. @param offset of a sample that is to be compared */
async function yesOf(answer: OriginAnswer, path: RegistryPath, offset: number | undefined): Promise<Yes | undefined> {
  const { statusCode, header } = answer;
  const lengthBytes = contentLengthOf(statusCode, header);
  const other = namesOther(header['docker-content-digest'], path.reference);
  if (lengthBytes === undefined || lengthBytes === 0 || isPage(header) || other) {
    answer.discard();
    return undefined;
  }
  const blob = toldBlob(answer, lengthBytes);
  if (offset === undefined) {
    answer.discard();
    return { lengthBytes, blob };
  }
  const sample = await sampleOf(answer, offset, lengthBytes);
  return sample && { lengthBytes, blob, sample };
}
