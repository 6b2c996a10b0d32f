/** The files of the repository as the tidy test sees them: what git tracks, and what it would track. */
import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Paths from the root, sorted; without generated code. */
export function repositoryFiles(): string[] {
  const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root });
  return list
    .toString()
    .split('\0')
    .filter((path) => path !== '' && existsSync(join(root, path)) && !path.startsWith('gen/'))
    .sort();
}

export function read(path: string): string {
  return lstatSync(join(root, path)).isSymbolicLink() ? '' : readFileSync(join(root, path), 'utf8');
}

export interface Import {
  readonly specifier: string;
  /** Path from the root for a relative import, undefined for a package or a module of Node. */
  readonly target: string | undefined;
}

/** Static, dynamic, type-only and re-exporting imports alike: a type is a dependency too. */
export function importsOf(path: string): Import[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g;
  return [...withoutComments(read(path)).matchAll(pattern)].map(([, , specifier = '']) => ({
    specifier,
    target: specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : undefined,
  }));
}

/** Code without comments, line numbers kept. Good enough for our own style; a `//` inside a string needs a scheme before it. */
export function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ''))
    .replace(/(^|[^:'"`/\\])\/\/.*$/gm, '$1');
}
