/** Sends files whose content a hub has named, by SHA-256 or by git's object id, to a caller who may have them. */
import { hasBlobId } from '../../../core/bundle/listed-digest.ts';
import { outside, resolveRange } from '../../../core/byte-range.ts';
import type { DownloadRequest } from '../../task/open-task.ts';
import { answerError } from '../answers.ts';
import { downloadRequestFor, type DownloadDefaults } from '../content/download-request.ts';
import type { TaskAnswers } from '../content/task-answers.ts';
import { noteFirstByte, type ClientCall } from '../client-call.ts';
import { flat } from '../proof/answer-header.ts';
import { judgePreconditions } from '../proof/preconditions.ts';
import { forwardDirectly } from '../wire/direct.ts';
import { rangeDemand } from '../wire/range-answer.ts';
import type { Upstream } from '../wire/upstream.ts';
import { smallContentOf } from './git-blob.ts';
import type { HubFile } from './hub-files.ts';

export interface NamedFilesOptions {
  readonly upstream: Upstream;
  readonly tasks: TaskAnswers;
  readonly defaults: DownloadDefaults;
}

/** Git hosts refuse larger files outside of LFS. */
const smallBytes = 16 * 2 ** 20;

export class NamedFiles {
  readonly #options: NamedFilesOptions;

  constructor(options: NamedFilesOptions) {
    this.#options = options;
  }

  /** Whether the content has a name by which it can be verified. */
  has({ sha256, blobId, lengthBytes }: HubFile): boolean {
    return sha256 !== undefined || (blobId !== undefined && lengthBytes <= smallBytes);
  }

  /** Sends the hub's metadata on an answer without a redirect: clients would follow one without their token. */
  describe({ response, record }: ClientCall, { header, lengthBytes }: HubFile): void {
    response.writeHead(200, { ...header, 'accept-ranges': 'bytes', 'content-length': String(lengthBytes) });
    noteFirstByte(record);
    response.end();
  }

  /** Always answers the client. @param call for a URL that keeps naming this content */
  async send(call: ClientCall, file: HubFile): Promise<void> {
    const { tasks, upstream, defaults } = this.#options;
    const { header, lengthBytes } = file;
    call.record.way = 'peers';
    const judgement = judgePreconditions(call.header, flat(header));
    if (judgement === 'failed') return forwardDirectly(call, upstream);
    if (judgement === 'notModified') return tasks.notModified(call, header);
    const demand = judgement === 'ignoreRange' ? rangeDemand(undefined) : rangeDemand(call.header['range']);
    if (demand.kind === 'one' && !resolveRange(demand.spec, lengthBytes)) return unsatisfiable(call, lengthBytes);
    if (lengthBytes === 0) return this.describe(call, file); // an empty file needs no request
    const request = named(downloadRequestFor(call, undefined, defaults), file);
    try {
      if (file.sha256 !== undefined || (await this.#isRight(call, request, file))) {
        const task = await tasks.open(request, demand, call);
        if (task.contentLengthBytes === undefined || task.contentLengthBytes === lengthBytes)
          return await tasks.send(call, { request, task, demand, header });
        await task[Symbol.asyncDispose]();
      }
    } catch (error) {
      return tasks.failed(call, error);
    }
    return forwardDirectly(call, upstream);
  }

  /** Git's object id can only be verified over the whole content, so all of it is fetched before any of it is sent. */
  async #isRight(call: ClientCall, request: DownloadRequest, { blobId, lengthBytes }: HubFile): Promise<boolean> {
    const whole = await this.#options.tasks.open(request, rangeDemand(undefined), call);
    const content = await smallContentOf(whole, lengthBytes);
    return content !== undefined && blobId !== undefined && hasBlobId(content, blobId);
  }
}

/** The hub would lead to a store that says the same. */
function unsatisfiable({ response, kind, record }: ClientCall, lengthBytes: number): void {
  record.error = outside(lengthBytes);
  answerError(response, record.error, { kind, type: 'proxy', header: { 'content-range': `bytes */${lengthBytes}` } });
}

/** The task's identity is the content itself; users cannot choose an identity with this prefix. */
function named(request: DownloadRequest, { sha256, blobId }: HubFile): DownloadRequest {
  if (sha256 === undefined) return { ...request, contentForCalculatingTaskId: `dragonfly:git-blob:${blobId}` };
  return { ...request, digest: `sha256:${sha256}`, contentForCalculatingTaskId: `dragonfly:sha256:${sha256}` };
}
