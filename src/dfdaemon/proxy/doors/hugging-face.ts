/**
 * The door for Hugging Face clients: `HF_ENDPOINT=http://127.0.0.1:65001/hf` and nothing else.
 *
 * The hub is asked about each file on behalf of each caller, with the caller's own token; a file that it names by a
 * SHA-256 then comes from the swarm under that name, whoever fetched it and by which URL, and is checked against it. Small
 * files and everything said about repositories come from the hub. Its refusals are passed on in its own words.
 */
import { toDragonflyError } from '../../../core/errors.ts';
import type { DownloadRequest } from '../../task/open-task.ts';
import { answerError } from '../answers.ts';
import { forwardDirectly, relay } from '../wire/direct.ts';
import { downloadRequestFor, type DownloadDefaults } from '../content/download-request.ts';
import { noteFirstByte, type Exchange } from '../exchange.ts';
import { flat } from '../proof/answer-header.ts';
import { judgePreconditions } from '../proof/preconditions.ts';
import { rangeDemand } from '../wire/range-answer.ts';
import { retargeted, type RequestTarget } from '../wire/request-target.ts';
import type { TaskAnswers } from '../content/task-answers.ts';
import type { Upstream } from '../wire/upstream.ts';
import type { Door } from './door.ts';
import { HubAddress } from './hub-address.ts';
import { HubAnswers } from './hub-answers.ts';
import { HubFiles, type HubFile } from './hub-files.ts';

export interface HuggingFaceDoorOptions {
  readonly endpoint: string;
  readonly upstream: Upstream;
  readonly tasks: TaskAnswers;
  readonly defaults: DownloadDefaults;
  /** Answers with what has no digest, by the rules of shared caches. */
  readonly peers: { answer(exchange: Exchange, filteredQueryParams: undefined): Promise<void> };
  /** How long the hub's word about a caller and a commit holds. */
  readonly ttlMs: number;
}

const doorPath = '/hf';
const resolvePath = /^\/(?:[^/]+\/){1,3}resolve\/([^/]+)\/.+/;
const isCommit = /^[0-9a-f]{40}$/;

export class HuggingFaceDoor implements Door {
  readonly #options: HuggingFaceDoorOptions;
  readonly #hub: HubAddress;
  readonly #answers: HubAnswers;
  readonly #files: HubFiles;

  constructor(options: HuggingFaceDoorOptions) {
    this.#options = options;
    this.#hub = new HubAddress(doorPath, options.endpoint);
    this.#answers = new HubAnswers(this.#hub, options.upstream);
    this.#files = new HubFiles(options.upstream, options.ttlMs);
  }

  target(pathAndQuery: string): RequestTarget | undefined {
    if (!pathAndQuery.startsWith(`${doorPath}/`)) return undefined;
    const { url, target } = this.#hub.urlOf(pathAndQuery.slice(doorPath.length));
    return { url, target, authority: url.host };
  }

  async answer(exchange: Exchange): Promise<void> {
    const { request, url } = exchange;
    const path = `/${url.pathname.slice(this.#hub.base.pathname.length)}`;
    if (request.method !== 'GET' && request.method !== 'HEAD') return forwardDirectly(exchange, this.#options.upstream);
    const revision = resolvePath.exec(path)?.[1];
    if (path.startsWith('/api/') || revision === undefined) return this.#answers.answer(exchange);
    return this.#file(exchange, isCommit.test(revision));
  }

  async #file(exchange: Exchange, commit: boolean): Promise<void> {
    const { response, record, kind, request } = exchange;
    record.way = 'direct';
    let word;
    try {
      word = await this.#files.ask(exchange, commit);
    } catch (error) {
      record.error = toDragonflyError(error);
      return answerError(response, record.error, { kind, type: 'proxy' });
    }
    if ('refusal' in word) {
      if (request.method === 'HEAD') return relay(exchange, word.refusal);
      word.refusal.resume();
      return forwardDirectly(exchange, this.#options.upstream);
    }
    const { file } = word;
    if (request.method === 'HEAD') return describe(exchange, file);
    const pinned = retargeted(exchange, file.url);
    if (file.sha256 === undefined) return this.#options.peers.answer(pinned, undefined);
    return this.#send(pinned, file, file.sha256);
  }

  async #send(exchange: Exchange, { header, lengthBytes }: HubFile, sha256: string): Promise<void> {
    const { tasks, upstream, defaults } = this.#options;
    exchange.record.way = 'peers';
    const judgement = judgePreconditions(exchange.header, flat(header));
    if (judgement === 'failed') return forwardDirectly(exchange, upstream);
    if (judgement === 'notModified') return tasks.notModified(exchange, header);
    const demand = judgement === 'ignoreRange' ? rangeDemand(undefined) : rangeDemand(exchange.header['range']);
    const request = named(downloadRequestFor(exchange, undefined, defaults), sha256);
    try {
      const task = await tasks.open(request, demand, exchange);
      if (task.contentLengthBytes === undefined || task.contentLengthBytes === lengthBytes)
        return await tasks.send(exchange, { request, task, demand, header });
      await task[Symbol.asyncDispose]();
    } catch (error) {
      return tasks.failed(exchange, error);
    }
    return forwardDirectly(exchange, upstream);
  }
}

/** The identity of a file is its content; users cannot choose one that begins so. */
function named(request: DownloadRequest, sha256: string): DownloadRequest {
  return { ...request, digest: `sha256:${sha256}`, contentForCalculatingTaskId: `dragonfly:sha256:${sha256}` };
}

/** The hub's metadata on an answer that leads nowhere else: clients would go there without their token. */
function describe({ response, record }: Exchange, { header, lengthBytes }: HubFile): void {
  response.writeHead(200, { ...header, 'accept-ranges': 'bytes', 'content-length': String(lengthBytes) });
  noteFirstByte(record);
  response.end();
}
