/**
 * An external searcher: `<pluginDir>/searcher.mjs` or `searcher.js` exports `createSearcher(): Searcher`. It runs with
 * all rights of the manager, so directory and module must belong to root or the manager's user and must not be writable
 * by anybody else.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { DragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { requireTrusted } from '../../core/files/trusted-file.ts';
import type { SearchCandidate, Searcher, SearchingDaemon } from './searcher.ts';

/** Throws CONFIG_INVALID when it is missing or not a searcher, PERMISSION_DENIED when others could have written it. */
export async function loadSearcher(pluginDir: string, logger: Logger): Promise<Searcher> {
  const directory = resolve(pluginDir);
  const path = ['searcher.mjs', 'searcher.js'].map((name) => join(directory, name)).find((name) => existsSync(name));
  if (path === undefined) throw invalid(`there is no searcher.mjs in ${directory}`);
  requireTrusted(directory);
  requireTrusted(path);
  let searcher: Partial<Searcher> | undefined;
  try {
    const module = (await import(pathToFileURL(path).href)) as { createSearcher?: () => Partial<Searcher> };
    searcher = module.createSearcher?.();
  } catch (cause) {
    throw invalid(`${path} cannot be loaded: ${(cause as Error).message}`, cause);
  }
  if (typeof searcher?.search !== 'function') throw invalid(`${path} exports no createSearcher that makes a searcher`);
  return guarded(searcher as Searcher, logger);
}

/** A daemon must find its schedulers even if a plug-in throws: all clusters are returned in their original order then. */
function guarded(plugin: Searcher, logger: Logger): Searcher {
  return {
    search: <C extends SearchCandidate>(candidates: readonly C[], daemon: SearchingDaemon): C[] => {
      try {
        const known = new Map(candidates.map((candidate) => [candidate.id, candidate]));
        const found = plugin.search([...candidates], daemon).flatMap(({ id }) => known.get(id) ?? []);
        if (found.length > 0) return found;
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'the searcher plug-in failed');
      }
      return [...candidates];
    },
  };
}

function invalid(what: string, cause?: unknown): DragonflyError {
  return new DragonflyError('CONFIG_INVALID', what, {
    cause,
    hint: 'searcher: plugin needs server.pluginDir with a module that exports createSearcher().',
  });
}
