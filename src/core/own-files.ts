/**
 * Where the product's own files are, and how it starts itself: by the launchers in bin/ from a checkout or an installed
 * package, by running the same file again as a single executable. The bundler keeps modules at the same depth below
 * lib/ as below src/.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { getAsset, getAssetKeys, getRawAsset, isSea } from 'node:sea';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

/** The product is a single executable file that contains everything. */
export const isExecutable = isSea();

/** Path → content. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** @param path from the root of the product. Not for an executable, which has no such files. */
export function ownFile(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}

/** All files below a directory of the product, by their path in it; none when the directory is absent. */
export function ownFiles(directory: string): Files {
  if (!isExecutable) return filesBelow(ownFile(directory));
  const keys = getAssetKeys().filter((key) => key.startsWith(`${directory}/`));
  return new Map(keys.map((key) => [key.slice(directory.length + 1), new Uint8Array(getRawAsset(key))]));
}

/** The whole content of every file; none when the directory is absent. */
export function filesBelow(directory: string): Files {
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) return new Map();
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map(({ parentPath, name }) => join(parentPath, name));
  return new Map(paths.map((path) => [relative(directory, path), readFileSync(path)]));
}

/** The command line that starts a program of the product, without arguments. Without a name, the first argument names the program. */
export function ownCommand(program?: string): [string, ...string[]] {
  const self = isExecutable ? process.execPath : ownFile('bin/dragonfly');
  return program === undefined ? [self] : [self, program];
}

/** @param module below src/, without its extension. @param workerData initial data of the thread. */
export function ownThread(module: string, workerData?: unknown): Worker {
  if (isExecutable) return new Worker(getAsset(`lib/${module}.js`, 'utf8'), { eval: true, workerData });
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`../${module}.${extension}`, import.meta.url), { workerData });
}
