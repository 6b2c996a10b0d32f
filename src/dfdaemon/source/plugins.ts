/**
 * Origin protocols from outside: every `*.js` or `*.mjs` module in a directory exports `createSource(): Source`.
 *
 * A plug-in runs with all rights of the daemon, so directory and modules must belong to root or to the daemon's user and
 * be writable by nobody else.
 */
import { readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DragonflyError } from '../../core/errors.ts';
import { requireTrusted } from '../../core/files/trusted-file.ts';
import type { Source } from './source.ts';

/** Throws CONFIG_INVALID when a module is not a source, PERMISSION_DENIED when others could have written it. */
export async function loadSourcePlugins(directory: string): Promise<Source[]> {
  const root = resolve(directory);
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) return [];
  requireTrusted(root);
  const sources: Source[] = [];
  for (const name of readdirSync(root)
    .filter((file) => /\.m?js$/.test(file))
    .sort()) {
    const path = join(root, name);
    requireTrusted(path);
    sources.push(await loadSource(path));
  }
  return sources;
}

async function loadSource(path: string): Promise<Source> {
  const invalid = (what: string, cause?: unknown): DragonflyError =>
    new DragonflyError('CONFIG_INVALID', `the plug-in ${path} ${what}`, {
      cause,
      hint: 'It must export createSource(), giving schemes, open, stat and list.',
    });
  let source: Partial<Source>;
  try {
    const module = (await import(pathToFileURL(path).href)) as { createSource?: () => Partial<Source> };
    if (typeof module.createSource !== 'function') throw invalid('exports no createSource');
    source = module.createSource();
  } catch (error) {
    throw error instanceof DragonflyError ? error : invalid(`cannot be loaded: ${(error as Error).message}`, error);
  }
  const { schemes, open, stat, list } = source;
  const isSource = Array.isArray(schemes) && [open, stat, list].every((method) => typeof method === 'function');
  if (!isSource || !schemes.every((scheme) => /^[a-z][a-z0-9+.-]*$/.test(String(scheme))))
    throw invalid('is no source');
  return source as Source;
}
