/** The console as it is shipped, built when it is missing or older than its sources. */
import { execFile } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { waitFor } from '../support/wait-for.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const page = join(root, 'console/dist/index.html');
const buildDeadlineMs = 120_000;

export async function builtConsole(): Promise<void> {
  if (isFresh()) return;
  // Test files run side by side; one of them builds.
  const lock = join(tmpdir(), `dragonfly-console-build-${process.getuid?.() ?? 0}`);
  await waitFor('the console to be built by another test', () => isFresh() || taken(lock), buildDeadlineMs);
  if (isFresh()) return;
  try {
    const vite = join(root, 'node_modules/vite/bin/vite.js');
    await promisify(execFile)(process.execPath, [vite, 'build', '--logLevel', 'error'], {
      cwd: join(root, 'console'),
      timeout: buildDeadlineMs,
    });
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
}

function isFresh(): boolean {
  const built = statSync(page, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = globSync(
    ['console/src/**/*.{ts,tsx}', 'console/public/*', 'console/index.html', 'console/vite.config.ts'],
    { cwd: root },
  );
  return sources.every((file) => statSync(join(root, file)).mtimeMs <= built);
}

async function taken(lock: string): Promise<boolean> {
  try {
    await mkdir(lock);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    // Left behind by a build that was killed.
    if (Date.now() - statSync(lock).mtimeMs > buildDeadlineMs) await rm(lock, { recursive: true, force: true });
    return false;
  }
}
