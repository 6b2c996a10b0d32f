/**
 * What an import costs beside `cp --reflink=never` and `sha256sum` of the same file, in turns: on one node, and until a second one has it, too.
 *
 *   node bench/releases/import-speed.ts [--size 1GiB] [--rounds 3]
 */
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { parseArgs, promisify } from 'node:util';
import { runDfcache } from '../../src/cli/dfcache/dfcache.ts';
import { formatBytes, parseBytes } from '../../src/core/units.ts';
import { runTool } from '../../test/cli/tool-io.ts';
import { releaseLab } from '../../test/releases/release-lab.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';

const { values } = parseArgs({
  options: { size: { type: 'string', default: '1GiB' }, rounds: { type: 'string', default: '3' } },
});
const [size, rounds] = [parseBytes(values.size), Number(values.rounds)];
const run = promisify(execFile);

await using lab = await releaseLab(2);
console.log(`${formatBytes(size)}; GiB/s, and how many times as fast as cp and sha256sum`);
for (let round = 1; round <= rounds; round += 1) {
  const path = lab.directory.join(`file-${round}`);
  await makeRandomFile(path, size, `round ${round}`);
  const copy = lab.directory.join('copy');
  const plainMs = await timed(async () => {
    await run('cp', ['--reflink=never', path, copy]);
    await run('sha256sum', [copy]);
  });
  await rm(copy);
  const shown = [`cp + sha256sum ${speed(plainMs)}`];
  for (const replicas of [1, 2]) {
    const words = ['import', path, '--persistent-replica-count', String(replicas), '--tag', `r${replicas}`];
    const ms = await timed(async () => {
      const { error } = await runTool(runDfcache, [...words, '-e', lab.peer(1).socket]);
      if (error) throw error;
    });
    shown.push(`${replicas} replica${replicas > 1 ? 's' : ''} ${speed(ms)} (${(plainMs / ms).toFixed(2)})`);
  }
  console.log(shown.join(', '));
  await rm(path);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function speed(ms: number): string {
  return (size / 2 ** 30 / (ms / 1000)).toFixed(2);
}
