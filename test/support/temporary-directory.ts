/** A directory of its own for a test, removed with all it holds. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  join(...names: string[]): string;
}

/** `await using directory = await temporaryDirectory()`. The path stays short: socket paths may have 107 bytes at most. */
export async function temporaryDirectory(prefix = 'dragonfly-'): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), prefix));
  return {
    path,
    join: (...names) => join(path, ...names),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
