/**
 * The door for ModelScope: `MODELSCOPE_ENDPOINT=http://127.0.0.1:65001/ms` and nothing else.
 *
 * The hub's listing of a repository names every file by its SHA-256; whether this caller may have a file, the hub says
 * by its answer to a request for the first byte. The file then comes from the swarm under its digest, in as many ranges
 * at once as the client likes. Everything else is the hub's own answer.
 */
import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import { toDragonflyError } from '../../../core/errors.ts';
import { answerError } from '../answers.ts';
import type { ClientCall } from '../client-call.ts';
import { letGo } from '../proof/question.ts';
import { forwardDirectly, relay } from '../wire/direct.ts';
import type { RequestTarget } from '../wire/request-target.ts';
import type { Upstream } from '../wire/upstream.ts';
import type { Door } from './door.ts';
import { HubAddress } from './hub-address.ts';
import { HubAnswers } from './hub-answers.ts';
import { fileFrom, HubFiles, type HubFile, type HubWord } from './hub-files.ts';
import type { HubWords } from './hub-words.ts';
import { NamedFiles, type NamedFilesOptions } from './named-files.ts';

export interface ModelScopeDoorOptions extends NamedFilesOptions {
  readonly endpoint: string;
  /** Answers for content without a digest, by the rules of shared caches. */
  readonly peers: { answer(call: ClientCall, filteredQueryParams: undefined): Promise<void> };
  readonly words: HubWords;
}

/** A file of a repository: `…/models/<owner>/<name>/repo?Revision=…&FilePath=…`, and as its own page links it. */
const filePath = /^\/api\/v1\/(models|datasets)\/([^/]+\/[^/]+)\/repo$/;
const linkedPath = /^\/(models|datasets)\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/;
const isCommit = /^[0-9a-f]{40}$/;

const listed = z.object({
  Path: z.string(),
  Size: z.int().nonnegative(),
  Sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const listing = z.object({ Data: z.object({ Files: z.array(z.unknown()) }) });

export class ModelScopeDoor implements Door {
  static readonly path = '/ms';
  readonly #options: ModelScopeDoorOptions;
  readonly #hub: HubAddress;
  readonly #answers: HubAnswers;
  readonly #files: HubFiles;
  readonly #named: NamedFiles;

  constructor(options: ModelScopeDoorOptions) {
    this.#options = options;
    this.#hub = new HubAddress(ModelScopeDoor.path, options.endpoint);
    this.#answers = new HubAnswers(this.#hub, options);
    this.#files = new HubFiles({ words: options.words, put: (call) => this.#put(call) });
    this.#named = new NamedFiles(options);
  }

  target(pathAndQuery: string): RequestTarget | undefined {
    if (!pathAndQuery.startsWith(`${ModelScopeDoor.path}/`)) return undefined;
    const { url, target } = this.#hub.urlOf(pathAndQuery.slice(ModelScopeDoor.path.length));
    return { url, target, authority: url.host };
  }

  async answer(call: ClientCall): Promise<void> {
    const { request, url } = call;
    const { upstream, words } = this.#options;
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      words.changed();
      return forwardDirectly(call, upstream);
    }
    const place = this.#placeOf(url);
    if (!place) return this.#answers.answer(call);
    // Clients use HEAD to find out whether a mirror has the file; only the hub knows.
    return request.method === 'HEAD' ? forwardDirectly(call, upstream) : this.#file(call, place);
  }

  #placeOf(url: URL): FilePlace | undefined {
    const path = `/${url.pathname.slice(this.#hub.base.pathname.length)}`;
    const [, kind, repository] = filePath.exec(path) ?? [];
    if (kind !== undefined && repository !== undefined) {
      const revision = url.searchParams.get('Revision') ?? 'master';
      return { kind, repository, revision, path: url.searchParams.get('FilePath') ?? '' };
    }
    const [, ofLink, linked, revision, escaped] = linkedPath.exec(path) ?? [];
    if (ofLink === undefined || linked === undefined || revision === undefined || escaped === undefined)
      return undefined;
    return { kind: ofLink, repository: linked, revision: unescaped(revision), path: unescaped(escaped) };
  }

  async #file(call: ClientCall, place: FilePlace): Promise<void> {
    const { response, record, kind } = call;
    record.way = 'direct';
    let word: HubWord;
    try {
      word = await this.#files.ask(call, isCommit.test(place.revision));
    } catch (error) {
      record.error = toDragonflyError(error);
      return answerError(response, record.error, { kind, type: 'proxy' });
    }
    if ('file' in word) return this.#named.send(call, word.file);
    const { refusal } = word;
    if ((refusal.statusCode ?? 502) >= 400) return relay(call, refusal);
    letGo(refusal);
    return this.#options.peers.answer(call, undefined);
  }

  /** A redirect to a store, or the byte itself, shows that this caller may have the file. */
  async #put(call: ClientCall): Promise<HubWord> {
    const { url, header, trust, loopbackAllowed, signal } = call;
    const named = Object.entries(header).filter(([name]) => !name.startsWith('if-'));
    const asked = { ...Object.fromEntries(named), range: 'bytes=0-0', 'accept-encoding': 'identity' };
    const message = await this.#upstream.send({ method: 'GET', url, header: asked, trust, loopbackAllowed, signal });
    const file = (message.statusCode ?? 502) < 400 ? await this.#listed(call, message) : undefined;
    if (!file) return { refusal: message };
    letGo(message);
    return { file };
  }

  get #upstream(): Upstream {
    return this.#options.upstream;
  }

  /** Undefined for files that the hub does not name by a digest. */
  async #listed(call: ClientCall, message: IncomingMessage): Promise<HubFile | undefined> {
    const { url } = call;
    const place = this.#placeOf(url);
    if (!place) return undefined;
    const { kind, repository, revision, path } = place;
    const isModel = kind === 'models';
    const { url: list } = this.#hub.urlOf(`/api/v1/${kind}/${repository}/repo/${isModel ? 'files' : 'tree'}`);
    const where = isModel ? { Recursive: 'True' } : { Root: path.slice(0, Math.max(0, path.lastIndexOf('/'))) };
    list.search = new URLSearchParams({ Revision: revision, ...where }).toString();
    const told = listing.safeParse(await this.#answers.read(call, list)).data;
    const entry = told?.Data.Files.map((each) => listed.safeParse(each).data).find((each) => each?.Path === path);
    if (!entry) return undefined;
    const type = message.headers['content-type'];
    const kept = message.statusCode === 200 || message.statusCode === 206 ? type : undefined;
    return fileFrom({
      url: url.href,
      lengthBytes: entry.Size,
      header: {
        'content-type': kept ?? 'application/octet-stream',
        etag: `"${entry.Sha256}"`,
        'x-linked-etag': `"${entry.Sha256}"`,
      },
    });
  }
}

interface FilePlace {
  readonly kind: string;
  readonly repository: string;
  readonly revision: string;
  readonly path: string;
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
