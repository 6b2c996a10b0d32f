/** A hub of models as Hugging Face's is asked: repositories of an owner, their revisions, and the files of one. */
import { z } from 'zod';
import { DragonflyError } from '../../core/errors.ts';
import { maxHubPages } from './limits.ts';
import { statusError, type RegistryAnswer } from './registry-answer.ts';
import type { RegistryClient } from './registry-client.ts';
import { nextPageOf } from '../../core/net/link-header.ts';
import { withoutTrailing } from '../../core/text/linear-text.ts';

export interface HubRepositoryName {
  readonly kind: 'models' | 'datasets' | 'spaces';
  readonly owner: string;
  /** Where a rule names it, `*` stands for anything. */
  readonly name: string;
}

export interface HubRevision {
  readonly name: string;
  readonly commit: string;
}

export interface HubFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Of large files. */
  readonly sha256: string | undefined;
  /** What git calls the others. */
  readonly blobId: string;
}

/** For a repository that a rule names; a revision may stand behind it. */
const hubPattern =
  /^hf:\/\/(?:(models|datasets|spaces)\/)?([A-Za-z0-9][\w.-]{0,95})\/([\w.*-]{1,96})(?:@([^\s@?#]{1,255}))?$/;
const commitText = z.string().regex(/^[0-9a-f]{40}$/);
const refs = z.object({
  branches: z.array(z.object({ name: z.string(), targetCommit: commitText })).default([]),
  tags: z.array(z.object({ name: z.string(), targetCommit: commitText })).default([]),
});
const revisionSchema = z.object({ sha: commitText });
const repositories = z.array(z.object({ id: z.string() }));
const tree = z.array(
  z.object({
    type: z.string(),
    path: z.string(),
    size: z.int().nonnegative(),
    oid: commitText,
    lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).optional(),
  }),
);

/** `hf://owner/name`, `hf://datasets/owner/name@v1.0`; undefined when the text is none. */
export function parseHubUrl(
  text: string,
): { readonly repository: HubRepositoryName; readonly revision: string | undefined } | undefined {
  const [, kind = 'models', owner = '', name = '', revision] = hubPattern.exec(text) ?? [];
  if (owner === '' || /^\.{1,2}$/.test(name) || revision?.split('/').includes('..')) return undefined;
  return { repository: { kind: kind as HubRepositoryName['kind'], owner, name }, revision };
}

/** `owner/name`, with the kind before it where it is no model. */
export function hubPath({ kind, owner, name }: HubRepositoryName): string {
  return `${kind === 'models' ? '' : `${kind}/`}${owner}/${name}`;
}

export class ModelHub {
  readonly #registry: RegistryClient;
  readonly #endpoint: string;
  readonly #token: string | undefined;

  /** @param endpoint as users write it: `https://huggingface.co` */
  constructor(
    registry: RegistryClient,
    { endpoint, token }: { readonly endpoint: string; readonly token?: string | undefined },
  ) {
    this.#registry = registry;
    this.#endpoint = withoutTrailing(endpoint, '/');
    this.#token = token;
  }

  /** For the hub alone. */
  get header(): Record<string, string> {
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }

  /** Names of the owner's. Throws SOURCE_STATUS, SOURCE_UNREACHABLE, PROTOCOL. */
  async repositories({ kind, owner }: HubRepositoryName, signal: AbortSignal): Promise<string[]> {
    const first = `${this.#endpoint}/api/${kind}?${new URLSearchParams({ author: owner, limit: '1000' }).toString()}`;
    const found = await this.#pages(first, repositories, signal);
    return found.flatMap(({ id }) => (id.startsWith(`${owner}/`) ? [id.slice(owner.length + 1)] : []));
  }

  /** Branches and tags. */
  async revisions(repository: HubRepositoryName, signal: AbortSignal): Promise<HubRevision[]> {
    const { answer } = await this.#json(`${this.#api(repository)}/refs`, refs, signal);
    const all = [...answer.branches, ...answer.tags].map(({ name, targetCommit }) => ({ name, commit: targetCommit }));
    return [...new Map(all.map((revision) => [revision.name, revision])).values()];
  }

  /** Undefined when there is no such revision. */
  async commit(repository: HubRepositoryName, revision: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      const url = `${this.#api(repository)}/revision/${encodeURIComponent(revision)}`;
      return (await this.#json(url, revisionSchema, signal)).answer.sha;
    } catch (error) {
      if (error instanceof DragonflyError && error.details?.['statusCode'] === 404) return undefined;
      throw error;
    }
  }

  async files(repository: HubRepositoryName, commit: string, signal: AbortSignal): Promise<HubFile[]> {
    const first = `${this.#api(repository)}/tree/${commit}?recursive=true&expand=false`;
    const entries = await this.#pages(first, tree, signal);
    return entries.flatMap(({ type, path, size, oid, lfs }) =>
      type === 'file' ? [{ path, sizeBytes: lfs?.size ?? size, sha256: lfs?.oid, blobId: oid }] : [],
    );
  }

  /** Of a file at a commit, as the hub's clients ask for it. */
  fileUrl(repository: HubRepositoryName, commit: string, path: string): string {
    return `${this.#endpoint}/${hubPath(repository)}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
  }

  #api({ kind, owner, name }: HubRepositoryName): string {
    return `${this.#endpoint}/api/${kind}/${owner}/${name}`;
  }

  async #pages<T>(first: string, schema: z.ZodType<T[]>, signal: AbortSignal): Promise<T[]> {
    const all: T[] = [];
    let next: string | undefined = first;
    for (let page = 0; next !== undefined; page += 1) {
      if (page >= maxHubPages)
        throw new DragonflyError(
          'RESOURCE_EXHAUSTED',
          `${this.#endpoint} has more than ${maxHubPages} pages of a list`,
        );
      const { answer, link }: { answer: T[]; link: string } = await this.#json(next, schema, signal);
      all.push(...answer);
      next = this.#next(next, link);
    }
    return all;
  }

  /** The token goes to the hub alone. */
  #next(url: string, link: string): string | undefined {
    const target = nextPageOf(link);
    if (target === undefined) return undefined;
    const next = URL.canParse(target, url) ? new URL(target, url) : undefined;
    if (next?.origin === new URL(url).origin) return next.href;
    throw new DragonflyError('PROTOCOL', `${new URL(url).host} names a next page that is not its own`);
  }

  async #json<T>(url: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<{ answer: T; link: string }> {
    const answer = await this.#registry.get(url, { accept: 'application/json', ...this.header }, signal);
    if (answer.status !== 200) throw statusError(url, answer);
    return { answer: parsed(url, answer, schema), link: answer.header('link') ?? '' };
  }
}

function parsed<T>(url: string, { body }: RegistryAnswer, schema: z.ZodType<T>): T {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch {
    // Not JSON: reported below.
  }
  const { data } = schema.safeParse(json);
  if (data !== undefined) return data;
  throw new DragonflyError(
    'PROTOCOL',
    `${new URL(url).host} sent no answer of a model hub for ${new URL(url).pathname}`,
  );
}
