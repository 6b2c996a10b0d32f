/** `dfget --recursive`: lists a directory at the origin and downloads its files, several at a time. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { dirname, join, matchesGlob } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import { hubField } from '../../rpc/fields/hub-field.ts';
import { ListTaskEntriesRequest } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { originSettings, type DaemonClient } from './download.ts';
import type { DfgetOptions, RecursiveOptions } from './options.ts';
import type { OriginEntry, Origins } from '../origin.ts';

export type ListDirectory = (url: string, signal: AbortSignal) => Promise<readonly OriginEntry[]>;

export interface RemoteFile {
  readonly url: string;
  /** Relative to the requested directory, without `..`. */
  readonly path: string;
  readonly contentLengthBytes: number;
}

/** Files below the URL that match the filters. Throws RESOURCE_EXHAUSTED when there are more than allowed. */
export async function filesBelow(
  root: string,
  list: ListDirectory,
  options: RecursiveOptions,
  signal: AbortSignal,
): Promise<RemoteFile[]> {
  const { includes, accept, reject, level, maxFiles } = options;
  const files: RemoteFile[] = [];
  const seen = new Set([root]);
  let directories = [root];
  for (let depth = 1; directories.length > 0; depth += 1) {
    const below: string[] = [];
    for (const directory of directories) {
      for (const entry of await list(directory, signal)) {
        if (seen.has(entry.url)) continue;
        seen.add(entry.url);
        if (entry.isDirectory) {
          below.push(entry.url);
          continue;
        }
        const path = relativePath(root, entry.url);
        if (includes.length > 0 && !includes.some((include) => isIncluded(path, include))) continue;
        if (accept?.test(entry.url) === false || reject?.test(entry.url)) continue;
        files.push({ url: entry.url, path, contentLengthBytes: entry.contentLengthBytes });
        if (files.length > maxFiles) throw tooMany(root, maxFiles);
      }
    }
    directories = level === 0 || depth < level ? below : [];
  }
  return files;
}

/** Runs the downloads, a limited number at a time; the first failure stops the others. */
export async function eachFile(
  files: readonly RemoteFile[],
  { directory, concurrency, signal }: { directory: string; concurrency: number; signal: AbortSignal },
  download: (file: RemoteFile, path: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const waiting = files.values();
  const worker = async (): Promise<void> => {
    for (const file of waiting) {
      either.throwIfAborted();
      const path = join(directory, file.path);
      await mkdir(dirname(path), { recursive: true });
      await download(file, path, either);
    }
  };
  const workers = Array.from({ length: Math.min(concurrency, files.length) }, async () => {
    try {
      await worker();
    } catch (error) {
      failed.abort(error); // the reason for all later failures
      throw error;
    }
  });
  const results = await Promise.allSettled(workers);
  if (failed.signal.aborted) throw failed.signal.reason;
  const rejected = results.find((result) => result.status === 'rejected');
  if (rejected) throw rejected.reason;
}

export function listByDaemon(client: DaemonClient, options: DfgetOptions): ListDirectory {
  return async (url, signal) => {
    const { header, objectStorage, hdfs, hub } = originSettings(options);
    const request = ListTaskEntriesRequest.fromPartial({
      taskId: randomUUID(),
      url,
      requestHeader: { ...header },
      ...(objectStorage && { objectStorage }),
      ...(hdfs && { hdfs }),
      ...(hub && { [hubField(url)]: hub }),
    });
    const { entries } = await client.listTaskEntries(request, { signal, timeoutMs: listTimeoutMs });
    return entries.map((entry) => ({
      url: entry.url,
      contentLengthBytes: entry.contentLength,
      isDirectory: entry.isDir,
    }));
  };
}

export function listByOrigin(origins: Origins, options: DfgetOptions): ListDirectory {
  return async (url, signal) => {
    const entries: OriginEntry[] = [];
    for await (const entry of origins.list({ ...originSettings(options), url, signal })) entries.push(entry);
    return entries;
  };
}

/** Listing a large bucket takes many requests to the object store. */
const listTimeoutMs = 600_000;

function relativePath(root: string, url: string): string {
  const [base, full] = [new URL(root), new URL(url)];
  const path = full.pathname.startsWith(base.pathname) ? full.pathname.slice(base.pathname.length) : undefined;
  const segments = path
    ?.split('/')
    .filter((segment) => segment !== '')
    .map(decodeURIComponent);
  const isSafe = segments?.every((name) => name !== '..' && name !== '.' && !/[/\\\0]/.test(name));
  if (segments && segments.length > 0 && isSafe && full.host === base.host) return segments.join('/');
  throw new DragonflyError('PERMISSION_DENIED', `the listing names ${url}, which does not lie below ${root}`, {
    hint: 'The origin is broken or hostile; nothing was written for this name.',
  });
}

/** Matches a file, a directory, or a pattern of `*`, `?`, `**` and braces. */
function isIncluded(path: string, include: string): boolean {
  const plain = include.replace(/\/$/, '');
  return path === plain || path.startsWith(`${plain}/`) || matchesGlob(path, include);
}

function tooMany(root: string, maxFiles: number): DragonflyError {
  return new DragonflyError('RESOURCE_EXHAUSTED', `${root} holds more than ${maxFiles} files`, {
    hint: 'Raise --max-files, or choose with --include-files.',
  });
}
