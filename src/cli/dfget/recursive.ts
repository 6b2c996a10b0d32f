/** `dfget --recursive`: the files of a directory, small ones in bundles where the daemon knows those, some downloads at a time. */
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isBundleDirectory, type Bundle } from '../../core/bundle/bundle.ts';
import { planBundles } from '../../core/bundle/plan.ts';
import { toDragonflyError, type DragonflyError, type ErrorCode } from '../../core/errors.ts';
import { hasStandingSecret } from '../../core/redact.ts';
import type { RemoteFile, RemoteTree } from './directory.ts';
import type { FileResult } from './download.ts';
import type { DfgetOptions } from './options.ts';

/** Files of one bundle, with where they go, in its order. */
export interface BundleWork {
  readonly bundle: Bundle;
  readonly paths: readonly string[];
}

export interface Downloads {
  readonly file: (file: RemoteFile, path: string, signal: AbortSignal) => Promise<FileResult>;
  /** Calls back with each file that is in its place. Absent where there is nobody to ask for bundles. */
  readonly bundle?:
    ((work: BundleWork, onFile: (index: number) => void, signal: AbortSignal) => Promise<FileResult>) | undefined;
  readonly onResult: (result: FileResult) => void;
  /** A file is in its place, by whichever way. */
  readonly onFile: (path: string) => void;
  /** A bundle has failed; its files are downloaded one by one. */
  readonly onFallBack: (error: DragonflyError, files: number) => void;
}

export interface TreeOptions {
  readonly directory: string;
  readonly options: DfgetOptions;
  readonly concurrency: number;
  readonly signal: AbortSignal;
}

/** One by one the files would fail as their bundle has. */
const finalCodes: ReadonlySet<ErrorCode> = new Set(['OUTPUT', 'NO_SPACE', 'CANCELLED', 'DEADLINE_EXCEEDED']);

export async function downloadTree(
  tree: RemoteTree,
  { directory, options, concurrency, signal }: TreeOptions,
  downloads: Downloads,
): Promise<void> {
  const pathOf = (file: RemoteFile): string => join(directory, file.path);
  const { bundle: downloadBundle, onFile, onResult, onFallBack } = downloads;
  const { bundles, others } = downloadBundle ? bundlesOf(tree, options) : { bundles: [], others: tree.files };
  const left: RemoteFile[] = [];
  const one = async (file: RemoteFile, either: AbortSignal): Promise<void> => {
    const path = pathOf(file);
    await mkdir(dirname(path), { recursive: true });
    const result = await downloads.file(file, path, either);
    onFile(path);
    onResult(result);
  };
  const many = async ({ bundle, files }: (typeof bundles)[number], either: AbortSignal): Promise<void> => {
    const paths = files.map(pathOf);
    const written = new Set<number>();
    const onWritten = (index: number): void => {
      written.add(index);
      onFile(paths[index] ?? '');
    };
    try {
      const result = await downloadBundle?.({ bundle, paths }, onWritten, either);
      if (result) onResult(result);
    } catch (error) {
      const failure = toDragonflyError(error);
      if (either.aborted || finalCodes.has(failure.code)) throw error;
      const rest = files.filter((_, index) => !written.has(index));
      onFallBack(failure, rest.length);
      left.push(...rest);
    }
  };
  // The bundles first: they are the longest.
  const work = [
    ...bundles.map((some) => (either: AbortSignal) => many(some, either)),
    ...others.map((file) => (either: AbortSignal) => one(file, either)),
  ];
  await eachOf(work, { concurrency, signal });
  await eachOf(
    left.map((file) => (either: AbortSignal) => one(file, either)),
    { concurrency, signal },
  );
}

function bundlesOf(tree: RemoteTree, options: DfgetOptions) {
  const { url, contentForCalculatingTaskId, forceHardLink } = options;
  // Files that are to share their blocks with the store are files there; a key in the URL opens some of the files, perhaps.
  const isMeant =
    tree.bundles && !forceHardLink && contentForCalculatingTaskId === undefined && !hasStandingSecret(url);
  if (!isMeant || !isBundleDirectory(url)) return { bundles: [], others: tree.files };
  const listed = tree.files.map((file) => ({
    file,
    path: file.url.startsWith(url) ? file.url.slice(url.length) : '', // no path that a bundle may have
    lengthBytes: file.contentLengthBytes,
    validator: file.validator,
    digest: file.digest,
  }));
  const { bundles, others } = planBundles(listed);
  return {
    bundles: bundles.map(({ bundle, files }) => ({ bundle, files: files.map(({ file }) => file) })),
    others: others.map(({ file }) => file),
  };
}

/** Runs the work, a limited number at a time; the first failure stops the others. */
async function eachOf(
  work: readonly ((signal: AbortSignal) => Promise<void>)[],
  { concurrency, signal }: { concurrency: number; signal: AbortSignal },
): Promise<void> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const waiting = work.values();
  const worker = async (): Promise<void> => {
    for (const run of waiting) {
      either.throwIfAborted();
      await run(either);
    }
  };
  const workers = Array.from({ length: Math.min(concurrency, work.length) }, async () => {
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
