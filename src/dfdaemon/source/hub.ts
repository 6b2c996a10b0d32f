/**
 * Model hubs: `hf://[models|datasets|spaces/]owner/name[@revision][/path]`, `modelscope://…`, `opencsg://…`.
 *
 * A file of a repository at a revision is an ordinary URL of the hub, which redirects large ones to its store; a
 * repository or a directory in it can be listed. The token goes to the hub alone.
 */
import { isListedDigest } from '../../core/bundle/listed-digest.ts';
import { DragonflyError } from '../../core/errors.ts';
import { protocolError } from './http/http-head.ts';
import { statusError } from './http/http-object.ts';
import type { HttpSource } from './http.ts';
import { maxListedEntries } from './limits.ts';
import type { Source, SourceBody, SourceEntry, SourceObject, SourceRequest } from './source.ts';
import { pageLimit } from './object-store.ts';
import { withoutTrailing } from '../../core/text/linear-text.ts';
import { nextPageOf } from '../../core/net/link-header.ts';

interface Place {
  readonly base: string;
  /** `models`, `datasets`, `spaces`, … */
  readonly kind: string;
  readonly repository: string;
  /** The path inside the repository, unescaped, without slashes at its ends. */
  readonly path: string;
  readonly revision: string;
}

interface Hub {
  readonly base: string;
  readonly revision: string;
  readonly kinds: readonly string[];
  fileUrl(place: Place): string;
  listUrl(place: Place): string;
  /** Files and directories directly below the place. */
  entries(answer: unknown): readonly HubEntry[];
}

interface HubEntry {
  readonly path: string;
  readonly size: number;
  readonly isDirectory: boolean;
  readonly digest?: string | undefined;
}

const huggingFace: Hub = {
  base: 'https://huggingface.co',
  revision: 'main',
  kinds: ['models', 'datasets', 'spaces'],
  fileUrl: ({ base, kind, repository, revision, path }) =>
    `${base}/${kind === 'models' ? '' : `${kind}/`}${repository}/resolve/${encodeURIComponent(revision)}/${escaped(path)}`,
  listUrl: ({ base, kind, repository, revision, path }) =>
    `${base}/api/${kind}/${repository}/tree/${encodeURIComponent(revision)}${path === '' ? '' : `/${escaped(path)}`}`,
  entries: (answer) =>
    records(answer).map(({ path, size, type, oid, lfs }) => ({
      path: String(path),
      size: Number(size),
      isDirectory: type === 'directory',
      digest:
        listedDigest('sha256', (lfs as { oid?: unknown } | null | undefined)?.oid) ??
        listedDigest('git-sha1', lfs ? undefined : oid),
    })),
};

const hubs: Readonly<Record<string, Hub>> = {
  hf: huggingFace,
  opencsg: {
    ...huggingFace,
    base: 'https://hub.opencsg.com/csg',
    kinds: ['models', 'datasets', 'spaces', 'codes', 'mcps', 'skills'],
  },
  modelscope: {
    base: 'https://www.modelscope.cn',
    revision: 'master',
    kinds: ['models', 'datasets'],
    fileUrl: ({ base, kind, repository, revision, path }) =>
      `${base}/api/v1/${kind}/${repository}/repo?${new URLSearchParams({ Revision: revision, FilePath: path }).toString()}`,
    listUrl: ({ base, kind, repository, revision, path }) =>
      `${base}/api/v1/${kind}/${repository}/${kind === 'models' ? 'repo/files' : 'repo/tree'}?${new URLSearchParams({ Revision: revision, Root: path }).toString()}`,
    entries: (answer) =>
      records((answer as { Data?: { Files?: unknown } } | null)?.Data?.Files).map(({ Path, Size, Type, Sha256 }) => ({
        path: String(Path),
        size: Number(Size),
        isDirectory: Type === 'tree',
        digest: listedDigest('sha256', Sha256),
      })),
  },
};

export class HubSource implements Source {
  readonly schemes = Object.keys(hubs);
  readonly #http: HttpSource;

  constructor(http: HttpSource) {
    this.#http = http;
  }

  async open(request: SourceRequest): Promise<SourceBody> {
    return this.#http.open(fileRequest(request));
  }

  async stat(request: SourceRequest): Promise<SourceObject> {
    return this.#http.stat(fileRequest(request));
  }

  async *list(request: SourceRequest): AsyncGenerator<SourceEntry> {
    const { hub, place, root } = placeOf(request);
    const counts = pageLimit(request.url);
    let next: string | undefined = hub.listUrl(place);
    for (let count = 0; next !== undefined;) {
      const url: URL = new URL(next);
      const answer = await this.#http.text({
        ...request,
        url: url.href,
        header: authorized(request),
        range: undefined,
        validator: undefined,
      });
      if (answer.statusCode !== 200) throw statusError(answer, { url });
      for (const { path, size, isDirectory, digest } of hub.entries(json(answer.text))) {
        if ((count += 1) > maxListedEntries) {
          throw new DragonflyError('RESOURCE_EXHAUSTED', `${request.url} holds more than ${maxListedEntries} entries`);
        }
        yield {
          url: `${root}${escaped(path)}${isDirectory ? '/' : ''}`,
          contentLengthBytes: isDirectory ? 0 : size,
          isDirectory,
          ...(digest !== undefined && !isDirectory && { digest }),
        };
      }
      next = nextPage(answer.header['link'], url, { hub, place });
      if (next !== undefined) counts(next);
    }
  }
}

function fileRequest(request: SourceRequest): SourceRequest {
  const { hub, place } = placeOf(request);
  if (place.path === '') {
    throw new DragonflyError('INVALID_ARGUMENT', `${request.url} names a repository, not a file in it`, {
      hint: 'Add the path of a file, or --recursive for all of them.',
    });
  }
  return { ...request, url: hub.fileUrl(place), header: authorized(request) };
}

/** `root` names the repository as the request does, with or without a kind, so that listed entries lie below the requested URL. */
function placeOf(request: SourceRequest): { hub: Hub; place: Place; root: string } {
  const url = new URL(request.url);
  const scheme = url.protocol.slice(0, -1);
  const hub = hubs[scheme] as Hub;
  const parts = [url.host, ...url.pathname.split('/').map(decodeURIComponent)].filter((part) => part !== '');
  const given = hub.kinds.includes(parts[0] ?? '') ? parts.shift() : undefined;
  const [owner, named, ...path] = parts;
  const [, name, written] = /^([^@]+)(?:@(.+))?$/.exec(named ?? '') ?? [];
  if (owner === undefined || name === undefined || parts.some((part) => part === '..' || part === '.')) {
    throw new DragonflyError('INVALID_ARGUMENT', `${request.url} names no repository`, {
      hint: `Write ${scheme}://owner/name/path.`,
    });
  }
  const base = withoutTrailing(request.hub?.baseUrl || hub.base, '/');
  const revision = written ?? (request.hub?.revision || hub.revision);
  const repository = `${encodeURIComponent(owner)}/${encodeURIComponent(name)}`;
  const suffix = written === undefined ? '' : `@${encodeURIComponent(written)}`;
  const root = `${scheme}://${given === undefined ? '' : `${given}/`}${repository}${suffix}/`;
  return { hub, root, place: { base, kind: given ?? 'models', repository, path: path.join('/'), revision } };
}

function authorized({ header, hub }: SourceRequest): Record<string, string> {
  return hub?.token ? { ...header, authorization: `Bearer ${hub.token}` } : { ...header };
}

/**
 * Link: <…>; rel="next", at the same origin only, because the token must not go anywhere else. Mirrors pass on the links
 * of the hub, which are then followed at the mirror.
 */
function nextPage(
  link: string | undefined,
  url: URL,
  { hub, place }: { readonly hub: Hub; readonly place: Place },
): string | undefined {
  const target = nextPageOf(link);
  if (target === undefined) return undefined;
  const next = new URL(target, url.href);
  if (next.origin === url.origin) return next.href;
  if (next.href.startsWith(`${hub.base}/`)) return `${place.base}${next.href.slice(hub.base.length)}`;
  throw protocolError('its next page of a listing is elsewhere');
}

/** Undefined for what is no digest of that kind. */
function listedDigest(algorithm: 'sha256' | 'git-sha1', value: unknown): string | undefined {
  const digest = `${algorithm}:${String(value)}`;
  return isListedDigest(digest) ? digest : undefined;
}

function records(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  if (Array.isArray(value)) return value as readonly Readonly<Record<string, unknown>>[];
  throw protocolError('its listing is malformed');
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new DragonflyError('PROTOCOL', 'the hub sent a listing that is not JSON', { cause: error });
  }
}

function escaped(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
