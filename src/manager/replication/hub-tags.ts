/** Revisions of a model hub's repositories as tags: what their branches and tags are called, and the commit that each of them is now. */
import { DragonflyError } from '../../core/errors.ts';
import { hubPath, parseHubUrl, type HubRepositoryName, type ModelHub } from '../../rpc/registry/model-hub.ts';
import { maxReplicatedTags } from '../limits.ts';
import { matchesGlob } from './glob.ts';
import type { NamedTag, TagSource } from './tag-source.ts';

/** As the database holds them. */
const longestRevision = 128;

export class HubTags implements TagSource {
  readonly #hub: ModelHub;
  readonly #pattern: HubRepositoryName;

  constructor(hub: ModelHub, pattern: HubRepositoryName) {
    this.#hub = hub;
    this.#pattern = pattern;
  }

  async list(patterns: readonly string[], signal: AbortSignal): Promise<NamedTag[]> {
    const found: NamedTag[] = [];
    for (const name of await this.#names(signal)) {
      const repository = { ...this.#pattern, name };
      for (const { name: tag } of await this.#hub.revisions(repository, signal)) {
        if (tag.length > longestRevision || !patterns.some((pattern) => matchesGlob(pattern, tag))) continue;
        if (found.length >= maxReplicatedTags)
          throw new DragonflyError('RESOURCE_EXHAUSTED', `more than ${maxReplicatedTags} revisions match the rule`, {
            hint: 'Make its patterns narrower, or write several rules.',
          });
        found.push({ repository: hubPath(repository), tag });
      }
    }
    return found;
  }

  async digest({ repository, tag }: NamedTag, signal: AbortSignal): Promise<string | undefined> {
    const named = parseHubUrl(`hf://${repository}`);
    return named && this.#hub.commit(named.repository, tag, signal);
  }

  /** By the commit: a branch may move meanwhile. */
  preheat({ repository }: NamedTag, digest: string): Record<string, unknown> {
    return { type: 'model', url: `hf://${repository}@${digest}` };
  }

  async #names(signal: AbortSignal): Promise<string[]> {
    const { name } = this.#pattern;
    if (!name.includes('*')) return [name];
    const all = await this.#hub.repositories(this.#pattern, signal);
    return all.filter((one) => matchesGlob(name, one));
  }
}
