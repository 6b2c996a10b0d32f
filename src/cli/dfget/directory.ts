/** What `dfget --recursive` finds below a directory at the origin. */
import { randomUUID } from 'node:crypto';
import { matchesGlob } from 'node:path';
import { DragonflyError } from '../../core/errors.ts';
import { hubField } from '../../rpc/fields/hub-field.ts';
import { ListTaskEntriesRequest } from '../../../gen/dfdaemon/v2/dfdaemon.ts';
import { originSettings, type DaemonClient } from './download.ts';
import type { DfgetOptions, RecursiveOptions } from './options.ts';
import type { OriginEntry, Origins } from '../origin.ts';

export interface DirectoryListing {
  readonly entries: readonly OriginEntry[];
  /** Whoever has listed it takes small files in bundles. */
  readonly bundles: boolean;
}

export type ListDirectory = (url: string, signal: AbortSignal) => Promise<DirectoryListing>;

export interface RemoteFile extends Pick<OriginEntry, 'url' | 'contentLengthBytes' | 'validator' | 'digest'> {
  /** Relative to the requested directory, without `..`. */
  readonly path: string;
}

export interface RemoteTree {
  readonly files: readonly RemoteFile[];
  /** The files may be asked for in bundles. */
  readonly bundles: boolean;
}

/** Files below the URL that match the filters. Throws RESOURCE_EXHAUSTED when they, and the directories they lie in, are more than allowed. */
export async function filesBelow(
  root: string,
  list: ListDirectory,
  options: RecursiveOptions,
  signal: AbortSignal,
): Promise<RemoteTree> {
  const { includes, accept, reject, level, maxFiles } = options;
  const files: RemoteFile[] = [];
  const seen = new Set([root]);
  let bundles = true;
  let found = 0;
  let directories = [root];
  for (let depth = 1; directories.length > 0; depth += 1) {
    const below: string[] = [];
    const descends = level === 0 || depth < level;
    for (const directory of directories) {
      const listing = await list(directory, signal);
      bundles &&= listing.bundles;
      for (const entry of listing.entries) {
        if (seen.has(entry.url)) continue;
        seen.add(entry.url);
        if (entry.isDirectory) {
          if (descends) below.push(entry.url);
          // Directories in directories without end hold no file, perhaps.
          if (descends && (found += 1) > maxFiles) throw tooMany(root, maxFiles);
          continue;
        }
        const path = relativePath(root, entry.url);
        if (includes.length > 0 && !includes.some((include) => isIncluded(path, include))) continue;
        if (accept?.test(entry.url) === false || reject?.test(entry.url)) continue;
        const { url, contentLengthBytes, validator, digest } = entry;
        files.push({ url, path, contentLengthBytes, validator, digest });
        if ((found += 1) > maxFiles) throw tooMany(root, maxFiles);
      }
    }
    directories = below;
  }
  return { files, bundles };
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
    const { entries, bundles } = await client.listTaskEntries(request, { signal, timeoutMs: listTimeoutMs });
    const listed = entries.map(({ url, contentLength, isDir, validator, digest }) => ({
      url,
      contentLengthBytes: contentLength,
      isDirectory: isDir,
      validator,
      digest,
    }));
    return { entries: listed, bundles };
  };
}

export function listByOrigin(origins: Origins, options: DfgetOptions): ListDirectory {
  return async (url, signal) => {
    const entries: OriginEntry[] = [];
    for await (const entry of origins.list({ ...originSettings(options), url, signal })) entries.push(entry);
    return { entries, bundles: false };
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
  return new DragonflyError('RESOURCE_EXHAUSTED', `${root} holds more than ${maxFiles} files and directories`, {
    hint: 'Raise --max-files, or choose with --include-files.',
  });
}
