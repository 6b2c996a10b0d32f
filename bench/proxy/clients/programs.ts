/** Programs as clients: whether one is installed, and a part of a body by curl. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';

export async function isThere(program: string): Promise<boolean> {
  return promisify(execFile)('which', [program]).then(
    () => true,
    () => false,
  );
}

/** @param options.part so many bytes are read, and the connection is closed then. */
export async function ranged(
  url: string,
  { range, proxy, output, part }: { range: string; proxy: string; output: string; part: number },
): Promise<void> {
  const words = ['-sSf', '-r', range, ...(proxy ? ['-x', proxy] : []), url];
  const child = spawn('curl', words, { stdio: ['ignore', 'pipe', 'ignore'] });
  await using file = await open(output, 'w');
  let length = 0;
  for await (const block of child.stdout) {
    const taken = (block as Buffer).subarray(0, part - length);
    await file.write(taken);
    length += taken.length;
    if (length === part) break;
  }
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
