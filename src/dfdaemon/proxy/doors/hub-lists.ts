/**
 * What the hub's own listings say of files at a commit, so that it need not be asked about each of them: a tree lists
 * every file with the digest that a question about the file would return. A tree is shown to more callers than may have
 * the files, so it counts only for callers who were told that the repository is open to everybody (`gated: false`).
 */
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { proxyLimits } from '../limits.ts';
import { fileFrom, xetField, type HubFile } from './hub-files.ts';

export interface HubListsOptions {
  /** How long a list counts. */
  readonly ttlMs: number;
}

const information = z.object({ gated: z.literal(false), disabled: z.literal(false).optional() });

const entry = z.object({
  type: z.literal('file'),
  path: z.string(),
  size: z.int().nonnegative(),
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().nonnegative() }).optional(),
  xetHash: z.string().optional(),
});

const informationPath = /^\/api\/(models|datasets|spaces)\/([^/]+\/[^/]+)(?:\/revision\/[^/]+)?$/;
const treePath = /^\/api\/(models|datasets|spaces)\/([^/]+\/[^/]+)\/tree\/([0-9a-f]{40})(?:\/|$)/;
const filePath = /^\/(?:(datasets|spaces)\/)?([^/]+\/[^/]+)\/resolve\/([0-9a-f]{40})\/(.+)$/;
/** Entries of one answer that are remembered; a page of the hub has no more. */
const maxEntries = 10_000;

export class HubLists {
  /** Repositories that are open to a caller. */
  readonly #open: LRUCache<string, true>;
  readonly #files: LRUCache<string, z.output<typeof entry>>;

  constructor({ ttlMs }: HubListsOptions) {
    const ttl = Math.max(1, ttlMs);
    this.#open = new LRUCache({ max: proxyLimits.proofs, ttl });
    this.#files = new LRUCache({ max: proxyLimits.knownObjects, ttl });
  }

  /** Remembers an answer of the hub to this caller. @param path below the hub's own @param caller empty for an anonymous one */
  learn(path: string, caller: string, body: Buffer): void {
    const [, kind, repository] = informationPath.exec(path) ?? [];
    if (kind !== undefined && repository !== undefined) {
      const isOpen = information.safeParse(parsed(body)).success;
      if (isOpen) this.#open.set(keyOf(caller, kind, repository), true);
      else this.#open.delete(keyOf(caller, kind, repository));
      return;
    }
    const [, type, named, commit] = treePath.exec(path) ?? [];
    if (type === undefined || named === undefined || commit === undefined) return;
    const entries = parsed(body);
    if (!Array.isArray(entries)) return;
    for (const each of entries.slice(0, maxEntries)) {
      const file = entry.safeParse(each).data;
      if (file) this.#files.set(keyOf(caller, type, named, commit, file.path), file);
    }
  }

  /** Undefined when no listing of this caller says what the file is, or that this caller may have it. */
  find(path: string, caller: string, url: URL): HubFile | undefined {
    const [, kind = 'models', repository, commit, escaped] = filePath.exec(path) ?? [];
    if (repository === undefined || commit === undefined || escaped === undefined) return undefined;
    if (!this.#open.has(keyOf(caller, kind, repository))) return undefined;
    const file = this.#files.get(keyOf(caller, kind, repository, commit, unescaped(escaped)));
    if (!file) return undefined;
    const { lfs, xetHash } = file;
    const header = { 'x-repo-commit': commit, etag: `"${lfs?.oid ?? file.oid}"` };
    const linked = lfs && { 'x-linked-etag': header.etag, 'x-linked-size': String(lfs.size) };
    const inChunks = xetHash !== undefined && { [xetField]: xetHash };
    return fileFrom({
      url: url.href,
      lengthBytes: lfs?.size ?? file.size,
      header: { ...header, ...linked, ...inChunks },
    });
  }
}

function keyOf(...parts: readonly string[]): string {
  return parts.join('\n');
}

function unescaped(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
