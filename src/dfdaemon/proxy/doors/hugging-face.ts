/**
 * The door for Hugging Face clients: `HF_ENDPOINT=http://127.0.0.1:65001/hf` and nothing else.
 *
 * The hub is asked about each file with the caller's own token, once for all nodes. A file that the hub names by a
 * SHA-256 then comes from the swarm under that name, whoever fetched it by whatever URL, and is verified against it; so
 * does a small file, which the hub names as git does. The hub's refusals are passed on unchanged.
 */
import { toDragonflyError } from '../../../core/errors.ts';
import { answerError } from '../answers.ts';
import { forwardDirectly, relay } from '../wire/direct.ts';
import type { ClientCall } from '../client-call.ts';
import { retargeted, type RequestTarget } from '../wire/request-target.ts';
import type { Door } from './door.ts';
import { HubAddress, hubCaller } from './hub-address.ts';
import { HubAnswers } from './hub-answers.ts';
import { askByHead, HubFiles, xetField, type HubFile } from './hub-files.ts';
import { HubLists } from './hub-lists.ts';
import type { HubWords } from './hub-words.ts';
import { NamedFiles, type NamedFilesOptions } from './named-files.ts';
import { XetDoor, type XetDoorOptions } from './xet/xet-door.ts';

export interface HuggingFaceDoorOptions extends NamedFilesOptions {
  readonly endpoint: string;
  /** Answers for content without a digest, by the rules of shared caches. */
  readonly peers: { answer(call: ClientCall, filteredQueryParams: undefined): Promise<void> };
  readonly words: HubWords;
  /** Serves clients with `hf_xet` in chunks; undefined: chunks are not offered to them. */
  readonly xet?: Omit<XetDoorOptions, 'hub' | 'words' | keyof NamedFilesOptions> | undefined;
}

/** Buckets have no revisions. */
const resolvePath = /^\/(?!buckets\/)(?:[^/]+\/){1,3}resolve\/([^/]+)\/.+/;
/** POST requests that only read: the list of files is their body. */
const listsFiles = /^\/api\/.+\/paths-info(?:\/|$)/;
const onlyReads = /\/git-upload-pack$|^\/api\/.+\/xet-read-token(?:\/|$)/;
/** Each caller's own, and said in the header of the answer. */
const tokenPath = /^\/api\/.+\/xet-(?:read|write)-token(?:\/|$)/;
const isCommit = /^[0-9a-f]{40}$/;

export class HuggingFaceDoor implements Door {
  static readonly path = '/hf';
  readonly #options: HuggingFaceDoorOptions;
  readonly #hub: HubAddress;
  readonly #answers: HubAnswers;
  readonly #files: HubFiles;
  readonly #lists: HubLists;
  readonly #named: NamedFiles;
  readonly #xet: XetDoor | undefined;

  constructor(options: HuggingFaceDoorOptions) {
    this.#options = options;
    this.#hub = new HubAddress(HuggingFaceDoor.path, options.endpoint);
    this.#lists = new HubLists({ ttlMs: options.words.ttlMs(true) });
    const learn = ({ url, header }: ClientCall, body: Buffer): void =>
      this.#lists.learn(this.#pathOf(url), hubCaller(header), body);
    this.#answers = new HubAnswers(this.#hub, { ...options, learn, tellsOfXet: options.xet !== undefined });
    const { words, upstream } = options;
    this.#files = new HubFiles({ words, put: (call) => askByHead(upstream, call) });
    this.#named = new NamedFiles(options);
    this.#xet = options.xet && new XetDoor({ ...options, ...options.xet, hub: this.#hub });
  }

  target(pathAndQuery: string): RequestTarget | undefined {
    if (!pathAndQuery.startsWith(`${HuggingFaceDoor.path}/`)) return undefined;
    const { url, target } = this.#hub.urlOf(pathAndQuery.slice(HuggingFaceDoor.path.length));
    return { url, target, authority: url.host };
  }

  async answer(call: ClientCall): Promise<void> {
    const { request, url } = call;
    const path = this.#pathOf(url);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      if (request.method === 'POST' && listsFiles.test(path)) return this.#answers.passListing(call);
      if (!onlyReads.test(path)) this.#options.words.changed();
      return this.#answers.pass(call);
    }
    if (this.#xet?.isFor(path) === true && request.method === 'GET') return this.#xet.answer(call, path);
    if (tokenPath.test(path)) return this.#answers.pass(call);
    const revision = resolvePath.exec(path)?.[1];
    if (path.startsWith('/api/') || revision === undefined) return this.#answers.answer(call);
    return this.#file(call, isCommit.test(revision));
  }

  /** Below the hub's own. */
  #pathOf(url: URL): string {
    return `/${url.pathname.slice(this.#hub.base.pathname.length)}`;
  }

  /** Adds the address at which clients that know of chunks ask for them. */
  #withXet(call: ClientCall, file: HubFile): HubFile {
    const { 'x-repo-commit': commit } = file.header;
    const path = this.#pathOf(call.url);
    const link = typeof commit === 'string' ? this.#xet?.tokenLink(call, path, commit) : undefined;
    if (link === undefined || file.xetHash === undefined) return file;
    return { ...file, header: { ...file.header, [xetField]: file.xetHash, link } };
  }

  async #file(call: ClientCall, commit: boolean): Promise<void> {
    const { response, record, kind, request } = call;
    record.way = 'direct';
    let word;
    try {
      const listed = this.#lists.find(this.#pathOf(call.url), hubCaller(call.header), call.url);
      word = listed ? { file: listed } : await this.#files.ask(call, commit);
    } catch (error) {
      record.error = toDragonflyError(error);
      return answerError(response, record.error, { kind, type: 'proxy' });
    }
    if ('refusal' in word) {
      if (request.method === 'HEAD') return relay(call, word.refusal);
      word.refusal.resume();
      return forwardDirectly(call, this.#options.upstream);
    }
    const { file } = word;
    if (request.method === 'HEAD') return this.#named.describe(call, this.#withXet(call, file));
    const pinned = retargeted(call, file.url);
    return this.#named.has(file) ? this.#named.send(pinned, file) : this.#options.peers.answer(pinned, undefined);
  }
}
