/** The console as the manager serves it, built when it is missing or older than its sources. */
import { execFile } from 'node:child_process';
import { globSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../', import.meta.url));
const page = join(root, 'console/dist/index.html');
const buildDeadlineMs = 120_000;
const pollIntervalMs = 100;

/** Resolves when the console is there and fresh; of several processes that ask at once one builds. */
export async function buildConsole(): Promise<void> {
  const lock = join(tmpdir(), `dragonfly-console-build-${process.getuid?.() ?? 0}`);
  const endMs = performance.now() + buildDeadlineMs;
  while (!isFresh()) {
    if (await taken(lock)) {
      try {
        await build();
      } finally {
        await rm(lock, { recursive: true, force: true });
      }
      return;
    }
    if (performance.now() > endMs) throw new Error(`another process has been building the console since ${lock}`);
    await delay(pollIntervalMs);
  }
}

async function build(): Promise<void> {
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  await promisify(execFile)(process.execPath, [vite, 'build', '--logLevel', 'error'], {
    cwd: join(root, 'console'),
    timeout: buildDeadlineMs,
  });
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
    const since = statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
    // Left behind by a build that was killed.
    if (Date.now() - since > buildDeadlineMs) await rm(lock, { recursive: true, force: true });
    return false;
  }
}
