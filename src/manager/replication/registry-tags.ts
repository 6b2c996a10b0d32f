/** What a registry has of what a rule names: repositories, tags, and which image a tag is now. */
import { DragonflyError } from '../../core/errors.ts';
import { isRepositoryName, isTagName, manifestUrl, type RepositoryPattern } from '../../core/oci/reference.ts';
import type { RegistryAnswer } from '../../rpc/registry/registry-answer.ts';
import type { RegistryClient } from '../../rpc/registry/registry-client.ts';
import type { Login } from '../../rpc/registry/registry-credential.ts';
import { maxListPages, maxOpenRepositories, maxReplicatedTags, replicationPageRows } from '../limits.ts';
import { matchesGlob } from './glob.ts';
import { requireStatus } from './registry-pause.ts';
import { RegistryRepository } from './registry-repository.ts';
import type { NamedTag, TagSource } from './tag-source.ts';
import { nextPageOf } from '../../core/net/link-header.ts';

export class RegistryTags implements TagSource {
  readonly #registry: RegistryClient;
  readonly #source: RepositoryPattern;
  readonly #login: Login | undefined;
  /** The ones asked about last, which keep their tokens. */
  readonly #opened = new Map<string, RegistryRepository>();

  constructor(registry: RegistryClient, source: RepositoryPattern, login: Login | undefined) {
    this.#registry = registry;
    this.#source = source;
    this.#login = login;
  }

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

  digest({ repository, tag }: NamedTag, signal: AbortSignal): Promise<string | undefined> {
    return this.repository(repository).digest(tag, signal);
  }

  /** By the tag, so that it is found by tag and by digest. */
  preheat({ repository: name, tag: reference }: NamedTag): Record<string, unknown> {
    return { type: 'image', url: manifestUrl({ registry: this.#source.registry, name, reference }) };
  }

  repository(name: string): RegistryRepository {
    const place = { registry: this.#source.registry, name };
    const repository = this.#opened.get(name) ?? new RegistryRepository(this.#registry, place, { login: this.#login });
    this.#opened.delete(name);
    this.#opened.set(name, repository);
    const [oldest = name] = this.#opened.keys();
    if (this.#opened.size > maxOpenRepositories) this.#opened.delete(oldest);
    return repository;
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
    // The catalogue is asked with a token of its own.
    const asked = member === 'tags' ? this.repository(repository) : this.#catalogue();
    let url: URL | undefined = new URL(`/v2/${path}?n=${replicationPageRows}`, this.#source.registry);
    for (let page = 0; url; page += 1) {
      if (page >= maxListPages)
        throw new DragonflyError('PROTOCOL', `${url.host} has more than ${maxListPages} pages of ${member}`);
      const answer = await asked.ask(url, signal);
      // A repository in the catalogue may have lost its tags. For a repository that the rule names, and in the middle of a list,
      // that is an error.
      if (answer.status === 404 && member === 'tags' && page === 0 && this.#source.name.includes('*')) return;
      yield* entriesOf(requireStatus(url.href, answer, 200), member);
      url = nextPage(url, answer);
    }
  }

  #catalogue(): RegistryRepository {
    return new RegistryRepository(
      this.#registry,
      { registry: this.#source.registry, name: '' },
      { login: this.#login },
    );
  }
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
  const target = nextPageOf(answer.header('link'));
  if (target === undefined) return undefined;
  const next = URL.canParse(target, url.href) ? new URL(target, url) : undefined;
  if (next?.origin === url.origin) return next;
  throw new DragonflyError('PROTOCOL', `${url.host} names a next page that is not its own`);
}
