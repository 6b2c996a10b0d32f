/** What all parts of a release agree on. */
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { root } from './bundle.ts';

/** Seconds since 1970 that every file of a release carries: the time of the commit, or SOURCE_DATE_EPOCH. */
export function sourceDate(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined && /^\d+$/.test(given)) return Number(given);
  return Number(execFileSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' }));
}

/** Of the package manifest; packages of a release have no more in their number. */
export async function releaseVersion(): Promise<string> {
  return (JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { readonly version: string }).version;
}
