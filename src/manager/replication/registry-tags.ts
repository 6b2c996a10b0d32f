/** Reads from a registry what a rule names: repositories, tags, and the image that a tag currently names. */
import { createHash } from 'node:crypto';
import { DragonflyError } from '../../core/errors.ts';
import { isRepositoryName, isTagName, manifestUrl, type RepositoryPattern } from '../../core/oci/reference.ts';
import { acceptManifests } from '../../rpc/registry/image.ts';
import { statusError, type RegistryAnswer } from '../../rpc/registry/registry-answer.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import { RegistryCredential, type Login } from '../../rpc/registry/registry-credential.ts';
import { maxListPages, maxReplicatedTags, replicationPageRows } from '../limits.ts';
import { matchesGlob } from './glob.ts';

export interface NamedTag {
  readonly repository: string;
  readonly tag: string;
}

/** A registry has asked not to be called for a while. */
export class RegistryPause extends DragonflyError {
  readonly retryAfterMs: number;

  constructor(host: string, status: number, retryAfterMs: number) {
    const seconds = Math.ceil(retryAfterMs / 1000);
    super('RESOURCE_EXHAUSTED', `${host} answered ${status} and wants to be asked again in ${seconds} s`);
    this.retryAfterMs = retryAfterMs;
  }
}

export class RegistryTags {
  readonly #registry: RegistryClient;
  readonly #source: RepositoryPattern;
  readonly #login: Login | undefined;
  readonly #credentials = new Map<string, RegistryCredential>();

  constructor(registry: RegistryClient, source: RepositoryPattern, login: Login | undefined) {
    this.#registry = registry;
    this.#source = source;
    this.#login = login;
  }

  /** The tags that match one of the patterns. Throws RESOURCE_EXHAUSTED, SOURCE_STATUS, SOURCE_UNREACHABLE, PROTOCOL. */
  async list(patterns: readonly string[], signal: AbortSignal): Promise<NamedTag[]> {
    const found: NamedTag[] = [];
    for (const repository of await this.#repositories(signal)) {
      for await (const tag of this.#entries(repository, `${repository}/tags/list`, 'tags', signal)) {
        if (!isTagName(tag) || !patterns.some((pattern) => matchesGlob(pattern, tag))) continue;
        if (found.length >= maxReplicatedTags)
          throw new DragonflyError('RESOURCE_EXHAUSTED', `more than ${maxReplicatedTags} tags match the rule`, {
            hint: 'Make its patterns narrower, or write several rules.',
          });
        found.push({ repository, tag });
      }
    }
    return found;
  }

  /** The digest of the tag's manifest; undefined when the registry has no such tag. */
  async digest({ repository, tag }: NamedTag, signal: AbortSignal): Promise<string | undefined> {
    const url = manifestUrl({ registry: this.#source.registry, name: repository, reference: tag });
    const header = { accept: acceptManifests };
    const credential = this.#credential(repository);
    const head = await this.#registry.headAuthorized(url, header, credential, signal);
    if (head.status === 404) return undefined;
    const named = requireOk(url, head).header('docker-content-digest');
    // With a digest algorithm other than the one a preheat uses, the tag would look like a new image each time.
    if (named !== undefined && /^sha256:[0-9a-f]{64}$/.test(named)) return named;
    const { body } = requireOk(url, await this.#registry.getAuthorized(url, header, credential, signal));
    return `sha256:${createHash('sha256').update(body).digest('hex')}`;
  }

  async #repositories(signal: AbortSignal): Promise<string[]> {
    const { name } = this.#source;
    if (!name.includes('*')) return [name];
    const names: string[] = [];
    for await (const repository of this.#entries('', '_catalog', 'repositories', signal))
      if (isRepositoryName(repository) && matchesGlob(name, repository)) names.push(repository);
    return names;
  }

  /** The entries of a list in pages, each of which links to the next. */
  async *#entries(
    repository: string,
    path: string,
    member: 'tags' | 'repositories',
    signal: AbortSignal,
  ): AsyncGenerator<string, void, undefined> {
    let url: URL | undefined = new URL(`/v2/${path}?n=${replicationPageRows}`, this.#source.registry);
    for (let page = 0; url; page += 1) {
      if (page >= maxListPages)
        throw new DragonflyError('PROTOCOL', `${url.host} has more than ${maxListPages} pages of ${member}`);
      const answer = await this.#registry.getAuthorized(url.href, {}, this.#credential(repository), signal);
      // A repository in the catalogue may have lost its tags. For a repository that the rule names, and in the middle of a list,
      // that is an error.
      if (answer.status === 404 && member === 'tags' && page === 0 && this.#source.name.includes('*')) return;
      yield* entriesOf(requireOk(url.href, answer), member);
      url = nextPage(url, answer);
    }
  }

  #credential(repository: string): RegistryCredential {
    const known = this.#credentials.get(repository);
    if (known) return known;
    const origin = new URL(this.#source.registry);
    const made = new RegistryCredential(this.#registry, { origin, repository }, { login: this.#login });
    this.#credentials.set(repository, made);
    return made;
  }
}

function requireOk(url: string, answer: RegistryAnswer): RegistryAnswer {
  const after = answer.header('retry-after');
  if (answer.status === 429 || (answer.status === 503 && after !== undefined))
    throw new RegistryPause(new URL(url).host, answer.status, retryAfterMs(after, Date.now()));
  if (answer.status !== 200) throw statusError(url, answer);
  return answer;
}

/** Given as seconds or as a date; a minute when absent. */
function retryAfterMs(text: string | undefined, nowMs: number): number {
  const seconds = /^\d{1,6}$/.test(text ?? '') ? Number(text) : (Date.parse(text ?? '') - nowMs) / 1000;
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 1), 86_400) * 1000 : 60_000;
}

function entriesOf({ body }: RegistryAnswer, member: string): string[] {
  try {
    const list = (JSON.parse(body) as Record<string, unknown>)[member] ?? [];
    if (Array.isArray(list)) return list.filter((entry) => typeof entry === 'string');
  } catch {
    // Not JSON: reported below.
  }
  throw new DragonflyError('PROTOCOL', `the registry sent no list of ${member}`);
}

/**
 * The next page must be at this registry, because the login is sent there; and a list that ended early would look like deleted
 * tags. Throws PROTOCOL.
 */
function nextPage(url: URL, answer: RegistryAnswer): URL | undefined {
  const [, target] = /<([^>]+)>\s*;[^,]*\brel="?next"?/i.exec(answer.header('link') ?? '') ?? [];
  if (target === undefined) return undefined;
  const next = URL.canParse(target, url.href) ? new URL(target, url) : undefined;
  if (next?.origin === url.origin) return next;
  throw new DragonflyError('PROTOCOL', `${url.host} names a next page that is not its own`);
}
