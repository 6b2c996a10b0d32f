/**
 * Downloads that the operator of the cluster forbids: a request that matches any of the lists is refused, whether it
 * comes from a program on this node, from the proxy or from a scheduler.
 */
import { z } from 'zod';
import { DragonflyError } from '../../core/errors.ts';
import { compilePattern, type Pattern } from '../../core/pattern.ts';

const texts = z.array(z.string()).default([]);

export const blockRulesSchema = z.object({
  applications: texts,
  tags: texts,
  /** Regular expressions. */
  urls: texts,
  priorities: z.array(z.int()).default([]),
});

export type BlockRules = z.output<typeof blockRulesSchema>;

export const noBlockRules: BlockRules = blockRulesSchema.parse({});

/** Rules for imported content, by operation. */
const keptRulesSchema = z.object({ download: blockRulesSchema.nullish(), upload: blockRulesSchema.nullish() });

export const blockListsSchema = blockRulesSchema.extend({
  kept: keptRulesSchema.default({}),
  persistent: keptRulesSchema.default({}),
});

/** The rules for downloads, and those for both kinds of imported content. */
export type BlockLists = z.output<typeof blockListsSchema>;

export const noBlockLists: BlockLists = blockListsSchema.parse({});

interface BlockableRequest {
  readonly url: string;
  /** Files below the URL. */
  readonly bundle?: { readonly files: readonly { readonly path: string }[] } | undefined;
  readonly application?: string | undefined;
  readonly tag?: string | undefined;
  readonly priority?: number | undefined;
}

/** The priority of requests that name none. */
const defaultPriority = 6;

/** A class of its own, because unlike a refusal by a scheduler or an origin it must never be worked around. */
export class DownloadBlocked extends DragonflyError {}

export class BlockList {
  #rules: BlockLists = noBlockLists;
  #urls: readonly Pattern[] = [];

  /** Replaces the current rules. A pattern that does not compile blocks nothing; the manager rejects such patterns. */
  update(rules: BlockLists): void {
    this.#rules = rules;
    this.#urls = rules.urls.flatMap((pattern) => compilePattern(pattern) ?? []);
  }

  /** Throws DownloadBlocked, PERMISSION_DENIED. */
  check({ url, bundle, application, tag, priority = defaultPriority }: BlockableRequest): void {
    const { applications, tags, priorities } = this.#rules;
    if (application !== undefined && applications.includes(application))
      throw blocked(`the application ${application}`);
    if (tag !== undefined && tags.includes(tag)) throw blocked(`the tag ${tag}`);
    if (priorities.includes(priority)) throw blocked(`the priority ${priority}`);
    for (const one of bundle ? bundle.files.map(({ path }) => url + path) : [url])
      if (this.#urls.some((pattern) => pattern.test(one))) throw blocked('this URL');
  }

  /** Throws DownloadBlocked, PERMISSION_DENIED. */
  checkKept(what: 'download' | 'upload', { application, tag }: Pick<BlockableRequest, 'application' | 'tag'>): void {
    const rules = this.#rules.kept[what];
    if (!rules) return;
    if (application !== undefined && rules.applications.includes(application))
      throw blocked(`the application ${application}`);
    if (tag !== undefined && rules.tags.includes(tag)) throw blocked(`the tag ${tag}`);
  }

  /** Throws DownloadBlocked, PERMISSION_DENIED. */
  checkPersistent(what: 'download' | 'upload', { url }: Pick<BlockableRequest, 'url'>): void {
    const patterns = this.#rules.persistent[what]?.urls.flatMap((pattern) => compilePattern(pattern) ?? []) ?? [];
    if (patterns.some((pattern) => pattern.test(url))) throw blocked('this URL');
  }
}

function blocked(what: string): DownloadBlocked {
  return new DownloadBlocked('PERMISSION_DENIED', `downloads with ${what} are blocked in this cluster`, {
    hint: 'The block list of the cluster is kept at the manager.',
  });
}

/** The block rules for downloads in the cluster configuration that the manager sends; unreadable rules block nothing. */
export function blockRulesOf(clientConfig: Uint8Array | undefined): BlockLists {
  if (!clientConfig || clientConfig.length === 0) return noBlockLists;
  try {
    const config = clientConfigSchema.parse(JSON.parse(Buffer.from(clientConfig).toString('utf8')));
    const { task, persistent_task: persistent, persistent_cache_task: kept } = config.block_list ?? {};
    return { ...(task?.download ?? noBlockRules), kept: kept ?? {}, persistent: persistent ?? {} };
  } catch {
    return noBlockLists;
  }
}

const clientConfigSchema = z.object({
  block_list: z
    .object({
      task: z.object({ download: blockRulesSchema.nullish() }).nullish(),
      persistent_task: keptRulesSchema.nullish(),
      persistent_cache_task: keptRulesSchema.nullish(),
    })
    .nullish(),
});
