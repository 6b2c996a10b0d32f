/**
 * Serves runs of chunks from the swarm. Each run is content of its own, fetched from the origin in exactly the bytes
 * for which its address is signed; a run that lies within another one held here is cut out of that. Nothing is sent
 * before all of it was decompressed and hashed: a whole xorb has a name that verifies it, and with the last run of a
 * file the file's name verifies them all.
 */
import { LRUCache } from 'lru-cache';
import { DragonflyError, toDragonflyError } from '../../../../core/errors.ts';
import type { Logger } from '../../../../core/process/logger.ts';
import type { DownloadRequest, OpenedOrigin } from '../../../task/open-task.ts';
import type { SourceBody } from '../../../source/source.ts';
import { answerError } from '../../answers.ts';
import { downloadRequestFor, type DownloadDefaults } from '../../content/download-request.ts';
import type { TaskAnswers, TaskOpener } from '../../content/task-answers.ts';
import type { ClientCall } from '../../client-call.ts';
import { AnsweredRequest } from '../../proof/opened-origin.ts';
import { flatHeader, letGo } from '../../proof/question.ts';
import { forwardDirectly } from '../../wire/direct.ts';
import { rangeDemand } from '../../wire/range-answer.ts';
import { retargeted } from '../../wire/request-target.ts';
import type { Upstream } from '../../wire/upstream.ts';
import type { ChunkRun } from './chunk-run.ts';
import type { FileProof } from './file-proof.ts';
import { lengthOf, type FetchedRange, type XorbRange } from './reconstruction.ts';
import type { ToldRuns } from './told-runs.ts';
import type { XorbChecker } from './xorb-checker.ts';
import { isWholeXorb, nameOf, runInside, xorbField, XorbIndex } from './xorb-index.ts';

/** Content on this node's disk. */
export interface StoredContent {
  /** Header fields stored with each complete content. */
  headers(): Iterable<Readonly<Record<string, string>>>;
  /** The content is not what it was taken for. */
  discard(taskId: string): void;
}

export interface XorbRangesOptions {
  readonly tasks: TaskAnswers;
  readonly engine: TaskOpener;
  readonly upstream: Upstream;
  readonly defaults: DownloadDefaults;
  readonly stored: StoredContent;
  readonly checker: XorbChecker;
  readonly told: ToldRuns;
  readonly logger: Logger;
}

/** A range of a file that a client wants, and may have. */
export interface WantedRange {
  readonly range: FetchedRange;
  readonly proof: FileProof;
  /** The origin has refused the address. */
  readonly refused: () => void;
}

interface Checked {
  readonly run: ChunkRun;
  /** The range is a whole xorb, whose name verifies it. */
  readonly isWhole: boolean;
}

const checkedBytes = 32 * 2 ** 20;
/** A run that failed its verification comes from the origin itself for this long, whoever claims to hold it. */
const distrustMs = 10 * 60_000;
const bytesPerChunk = 40;
/** Clients retry answers with a server error for a minute; this status ends that. */
const brokenStatus = 409;
/** How many longer runs are tried before the origin is asked. */
const triedRuns = 2;
const whole = rangeDemand(undefined);

export class XorbRanges {
  readonly #options: XorbRangesOptions;
  readonly #index: XorbIndex;
  readonly #told: ToldRuns;
  readonly #checked = new LRUCache<string, Checked>({
    maxSize: checkedBytes,
    sizeCalculation: ({ run }) => 1 + run.lengths.length * bytesPerChunk,
  });
  readonly #distrusted = new LRUCache<string, true>({ max: 10_000, ttl: distrustMs });

  constructor(options: XorbRangesOptions) {
    this.#options = options;
    this.#told = options.told;
    this.#index = new XorbIndex(options.stored.headers());
  }

  /** Answers in every case. */
  async answer(call: ClientCall, wanted: WantedRange): Promise<void> {
    const { range, proof, refused } = wanted;
    const { record, response, kind, signal } = call;
    const pinned = retargeted(call, new URL(range.url));
    record.way = 'peers';
    if (proof.isBroken)
      return answerError(response, wrong('the file is broken'), { kind, type: 'proxy', status: brokenStatus });
    try {
      const held = this.#distrusted.has(nameOf(range)) ? undefined : await this.#bring(pinned, wanted);
      if (held) return await this.#send(pinned, held, range);
    } catch (error) {
      record.error = toDragonflyError(error);
      if (signal.aborted) return void response.destroy();
      if (proof.isBroken) {
        refused();
        return answerError(response, record.error, { kind, type: 'proxy', status: brokenStatus });
      }
      this.#options.logger.warn({ xorb: range.xorb, error: record.error.message }, 'chunks come from their origin');
    }
    const observe = ({ statusCode = 502 }: { readonly statusCode?: number | undefined }): void => {
      if (statusCode >= 400) refused();
    };
    await forwardDirectly(pinned, this.#options.upstream, { observe });
  }

  /** Content that contains the range, complete on this node and verified. */
  async #bring(call: ClientCall, { range, proof, refused }: WantedRange): Promise<XorbRange> {
    for (const held of this.#index.around(range)) {
      const request = this.#requestFor(call, held, undefined);
      if (!this.#isHere(request)) {
        this.#index.remove(held);
        continue;
      }
      const { run, isWhole } = await this.#check(call, held, request);
      const inside = runInside(held, run, range);
      if (!inside) continue;
      this.#prove(proof, range, { run: inside, isWhole });
      return held;
    }
    const longer = await this.#bringLonger(call, { range, proof, refused });
    if (longer) return longer;
    const fetch = new RangeFetch({ ...this.#options, call, range, refused });
    const checked = await this.#check(call, range, this.#requestFor(call, range, fetch));
    this.#prove(proof, range, checked);
    this.#index.add(range);
    void this.#told.add(range);
    return range;
  }

  /** From nodes that hold a longer run, usually of an older revision. */
  async #bringLonger(call: ClientCall, { range, proof }: WantedRange): Promise<XorbRange | undefined> {
    for (const longer of (await this.#told.around(range)).slice(0, triedRuns)) {
      if (this.#distrusted.has(nameOf(longer))) continue;
      const request = { ...this.#requestFor(call, longer, undefined), originAllowed: () => Promise.resolve(false) };
      const checked = await this.#check(call, longer, request).catch(() => undefined);
      const inside = checked && runInside(longer, checked.run, range);
      call.signal.throwIfAborted();
      if (!checked || !inside) continue;
      this.#prove(proof, range, { run: inside, isWhole: checked.isWhole });
      this.#index.add(longer);
      return longer;
    }
    return undefined;
  }

  #isHere(request: DownloadRequest): boolean {
    const { engine } = this.#options;
    return engine.headOf(engine.taskIdOf(request))?.complete === true;
  }

  /** Waits until all of it is here. */
  async #check(call: ClientCall, range: XorbRange, request: DownloadRequest): Promise<Checked> {
    const name = nameOf(range);
    const known = this.#isHere(request) ? this.#checked.get(name) : undefined;
    if (known) return known;
    await using task = await this.#options.tasks.open(request, whole, call);
    try {
      const run = await this.#options.checker.check(task.spans());
      await task.finished;
      const { chunks } = range;
      if (run.lengths.length !== chunks.end - chunks.start || task.contentLengthBytes !== lengthOf(range))
        throw wrong('there are other chunks than the store named');
      const checked = { run, isWhole: isWholeXorb(range, run) };
      this.#checked.set(name, checked);
      return checked;
    } catch (error) {
      if (toDragonflyError(error).code === 'DIGEST_MISMATCH') this.#discard(range, task.taskId);
      throw error;
    }
  }

  #prove(proof: FileProof, range: XorbRange, { run, isWhole }: Checked): void {
    proof.add(range, run, isWhole);
    if (!proof.isBroken) return;
    const { engine } = this.#options;
    for (const doubtful of proof.unproven) this.#discard(doubtful, engine.taskIdOf(nameless(doubtful)));
    throw wrong('the chunks are not those of the file');
  }

  #discard(range: XorbRange, taskId: string): void {
    this.#distrusted.set(nameOf(range), true);
    this.#checked.delete(nameOf(range));
    this.#index.remove(range);
    this.#options.stored.discard(taskId);
  }

  async #send(call: ClientCall, held: XorbRange, { bytes }: XorbRange): Promise<void> {
    const { tasks } = this.#options;
    const request = this.#requestFor(call, held, undefined);
    const first = bytes.start - held.bytes.start;
    const last = bytes.end - held.bytes.start;
    const demand = rangeDemand(`bytes=${first}-${last}`);
    const task = await tasks.open(request, demand, call);
    const header = { 'content-type': 'application/octet-stream' };
    return tasks.send(call, { request, task, demand, header, part: `bytes ${bytes.start}-${bytes.end}/*` });
  }

  /** @param opened fetches the run if this node is sent to the origin; undefined when it is here. */
  #requestFor(call: ClientCall, range: XorbRange, opened: OpenedOrigin | undefined): DownloadRequest {
    const { header: _, ...request } = downloadRequestFor({ ...call, header: {} }, [], this.#options.defaults);
    return { ...request, ...nameless(range), caller: call.caller, opened };
  }
}

/** A run's identity is its content, without any caller's name or key. */
function nameless(range: XorbRange): DownloadRequest {
  return {
    caller: { kind: 'proxy', address: '127.0.0.1', onThisMachine: true },
    // Only the request for which the address was signed may fetch it.
    url: `https://xet.invalid/${range.xorb}`,
    header: {},
    contentForCalculatingTaskId: `dragonfly:xorb:${nameOf(range)}`,
    digest: undefined,
    tag: undefined,
    application: undefined,
    pieceLengthBytes: undefined,
    filteredQueryParams: [],
    blobDigestAsId: false,
    prefetch: false,
    needBackToSource: true, // no seed has the address
    onlyOpened: true,
    restricted: true, // it is unknown whether everybody may have the file
  };
}

interface RangeFetchOptions {
  readonly upstream: Upstream;
  readonly call: ClientCall;
  readonly range: FetchedRange;
  readonly refused: () => void;
}

/** Sends one request, for exactly the bytes that the address is signed for, when the scheduler lets this node. */
class RangeFetch implements OpenedOrigin {
  readonly #options: RangeFetchOptions;

  constructor(options: RangeFetchOptions) {
    this.#options = options;
  }

  async take(): Promise<SourceBody | undefined> {
    const { upstream, range, refused, call } = this.#options;
    const { start, end } = range.bytes;
    const message = await upstream.send({
      method: 'GET',
      url: new URL(range.url),
      header: { range: `bytes=${start}-${end}`, 'accept-encoding': 'identity' },
      trust: call.trust,
      loopbackAllowed: call.loopbackAllowed,
      signal: new AbortController().signal, // others may wait for it after this client has left
    });
    const header = flatHeader(message);
    const place = `bytes ${start}-${end}/`;
    if (message.statusCode === 206 && header['content-range']?.startsWith(place) === true) {
      const stored = { ...header, [xorbField]: nameOf(range) };
      const answer = { statusCode: 206, header: stored, message, first: message, endsAtPage: false };
      const representation = { validator: `"${range.xorb}-${start}-${end}"`, lengthBytes: lengthOf(range) };
      return new AnsweredRequest({ ...answer, discard: () => letGo(message) }, representation).take();
    }
    letGo(message);
    refused();
    throw new DragonflyError('CANCELLED', `the store answered ${message.statusCode} to the request for chunks`);
  }
}

function wrong(message: string): DragonflyError {
  return new DragonflyError('DIGEST_MISMATCH', message, {
    hint: 'Load the file again: it comes from the hub itself then.',
  });
}
