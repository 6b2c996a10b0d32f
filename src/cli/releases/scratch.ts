/** A directory of this user for temporary files. If its program was killed, the next program that creates one removes it. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { outputError } from '../../core/files/output-file.ts';

const prefix = 'dragonfly-release-';

export interface Scratch extends AsyncDisposable {
  readonly path: string;
}

/** @param parent a directory on a disk, because packs are up to a gibibyte. */
export async function makeScratch(parent: string): Promise<Scratch> {
  await sweep(parent);
  try {
    const path = await mkdtemp(join(parent, `${prefix}${process.pid}-`));
    return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
  } catch (error) {
    throw outputError(parent, error);
  }
}

async function sweep(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names) {
    const pid = new RegExp(`^${prefix}(\\d+)-\\w+$`).exec(name)?.[1];
    if (pid === undefined || isRunning(Number(pid))) continue;
    const path = join(parent, name);
    const owner = await stat(path).catch(() => undefined);
    if (owner?.uid === process.geteuid?.()) await rm(path, { recursive: true, force: true }).catch(() => undefined);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
