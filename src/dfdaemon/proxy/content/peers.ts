/** Answers a GET from the swarm, if the origin's answer to this caller names what is stored. */
import { downloadRequestFor } from './download-request.ts';
import { BlobAnswers, type BlobAnswersOptions } from '../registry/blobs.ts';
import type { ClientCall } from '../client-call.ts';
import { ObjectAnswers, type ObjectAnswersOptions } from './objects.ts';
import { isDigest, registryPath } from '../registry/registry-path.ts';
import { SignedParts } from './signed-parts.ts';
import { TaskAnswers, type TaskAnswersOptions } from './task-answers.ts';

export type PeerAnswersOptions = TaskAnswersOptions & Omit<BlobAnswersOptions & ObjectAnswersOptions, 'tasks'>;

export class PeerAnswers {
  readonly tasks: TaskAnswers;
  readonly #options: PeerAnswersOptions;
  readonly #blobs: BlobAnswers;
  readonly #objects: ObjectAnswers;
  readonly #parts: SignedParts;

  constructor(options: PeerAnswersOptions) {
    this.tasks = new TaskAnswers(options);
    this.#options = options;
    this.#blobs = new BlobAnswers({ ...options, tasks: this.tasks });
    this.#objects = new ObjectAnswers({ ...options, tasks: this.tasks });
    this.#parts = new SignedParts({ ...options, tasks: this.tasks });
  }

  /** @param filteredQueryParams of the rule that matched. */
  answer(asked: ClientCall, filteredQueryParams: readonly string[] | undefined): Promise<void> {
    const call = { ...asked, serverIp: this.#options.serverIp };
    call.record.way = 'peers';
    const request = downloadRequestFor(call, filteredQueryParams, this.#options.defaults);
    const path = registryPath(call.url.pathname);
    if (path?.kind === 'blob' && isDigest(path.reference)) return this.#blobs.answer(call, request, path);
    const { engine } = this.#options;
    const isHeld = engine.headOf(engine.taskIdOf(request))?.complete === true;
    if (!isHeld && this.#parts.isOne(call)) return this.#parts.answer(call, request);
    return this.#objects.answer(call, request);
  }

  /** What answers HEAD of an object when its origin cannot be asked; undefined when nothing is held for this caller. */
  described(call: ClientCall, filteredQueryParams: readonly string[] | undefined): (() => boolean) | undefined {
    if (registryPath(call.url.pathname)?.kind === 'blob') return undefined;
    return this.#objects.described(call, downloadRequestFor(call, filteredQueryParams, this.#options.defaults));
  }

  /** A request that changes something at this URL has been answered. */
  changed(url: URL, method: string | undefined): void {
    this.#objects.changed(url.href);
    const path = method === 'DELETE' ? registryPath(url.pathname) : undefined;
    if (path?.kind === 'blob') this.#blobs.deleted(url, path);
  }
}
