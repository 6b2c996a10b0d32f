/** What the hub reports of a repository, and its files, read through a node's door. */
import type { Readable } from 'node:stream';
import { request } from 'undici';
import { z } from 'zod';
import { DragonflyError } from '../../core/errors.ts';
import { nextPageOf } from '../../core/net/link-header.ts';

export interface RepositoryFile {
  readonly path: string;
  readonly lengthBytes: number;
  /** The name of the content in clients' caches: the SHA-256 of large files, git's object id of others. */
  readonly etag: string;
  readonly isLarge: boolean;
}

export interface HubRepositoryOptions {
  readonly door: string;
  readonly type: string;
  readonly name: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}

const information = z.object({ sha: z.string().regex(/^[0-9a-f]{40}$/) });
const entry = z.object({
  type: z.string(),
  path: z.string(),
  size: z.int().nonnegative(),
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).optional(),
});
const page = z.array(entry);

const maxPages = 1_000;
const silenceMs = 120_000;

export class HubRepository {
  readonly #options: HubRepositoryOptions;
  readonly #door: string;

  constructor(options: HubRepositoryOptions) {
    this.#options = options;
    this.#door = options.door.replace(/\/+$/, '');
  }

  /** Throws SOURCE_STATUS with the hub's answer, PROTOCOL. */
  async commitOf(revision: string): Promise<string> {
    const { answer } = await this.#json(`${this.#api}/revision/${encodeURIComponent(revision)}`, information);
    return answer.sha;
  }

  async files(commit: string): Promise<RepositoryFile[]> {
    const files: RepositoryFile[] = [];
    let next: string | undefined = `${this.#api}/tree/${commit}?recursive=true&expand=false`;
    for (let pages = 0; next !== undefined; pages += 1) {
      if (pages === maxPages) throw new DragonflyError('RESOURCE_EXHAUSTED', 'the repository has too many files');
      const { answer, link }: { answer: z.output<typeof page>; link: string } = await this.#json(next, page);
      for (const { type, path, size, oid, lfs } of answer) {
        if (type !== 'file') continue;
        requireSafe(path);
        files.push({ path, lengthBytes: lfs?.size ?? size, etag: lfs?.oid ?? oid, isLarge: lfs !== undefined });
      }
      next = nextPageOf(link);
    }
    return files;
  }

  /** The whole content, with this caller's credentials at the hub. */
  async open(path: string, commit: string): Promise<Readable> {
    const { type, name } = this.#options;
    const kind = type === 'model' ? '' : `${type}s/`;
    const escaped = path.split('/').map(encodeURIComponent).join('/');
    return (await this.#get(`${this.#door}/${kind}${name}/resolve/${commit}/${escaped}`)).body;
  }

  get #api(): string {
    const { type, name } = this.#options;
    return `${this.#door}/api/${type}s/${name}`;
  }

  async #json<T>(url: string, schema: z.ZodType<T>): Promise<{ readonly answer: T; readonly link: string }> {
    const { headers, body } = await this.#get(url);
    const answer = schema.safeParse(await body.json().catch(() => undefined)).data;
    if (answer === undefined) throw new DragonflyError('PROTOCOL', `${url} is not what a model hub answers`);
    return { answer, link: String(headers['link'] ?? '') };
  }

  async #get(url: string): ReturnType<typeof request> {
    const { token, signal } = this.#options;
    // Pages and files must be at the door's address, because the token must not go anywhere else.
    if (new URL(url).origin !== new URL(this.#door).origin)
      throw new DragonflyError('PROTOCOL', `a page of the listing is elsewhere: ${url}`);
    const header = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const options = { headers: header, signal, headersTimeout: silenceMs, bodyTimeout: silenceMs };
    let answer: Awaited<ReturnType<typeof request>>;
    try {
      answer = await request(url, options);
    } catch (cause) {
      signal.throwIfAborted();
      throw new DragonflyError('SOURCE_UNREACHABLE', `the door at ${this.#door} cannot be asked`, {
        cause,
        hint: 'Start the dfdaemon, or name its door with --door.',
      });
    }
    if (answer.statusCode === 200) return answer;
    await answer.body.dump();
    const code = String(answer.headers['x-error-code'] ?? answer.headers['x-error-message'] ?? '');
    throw new DragonflyError(
      'SOURCE_STATUS',
      `the hub answers ${answer.statusCode}${code === '' ? '' : ` (${code})`}`,
      {
        details: { statusCode: answer.statusCode, header: {} },
        hint: token === undefined ? 'Set HF_TOKEN where the repository asks for it.' : 'Check HF_TOKEN and the name.',
      },
    );
  }
}

/** The name becomes a path on this machine. */
function requireSafe(path: string): void {
  const isSafe = path.split('/').every((name) => name !== '' && name !== '.' && name !== '..' && !/[\\\0]/.test(name));
  if (isSafe) return;
  throw new DragonflyError('PERMISSION_DENIED', `the hub names a file "${path}", which does not lie in its repository`);
}
