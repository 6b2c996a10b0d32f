/**
 * Files that are put in without an origin, between daemons of both kinds: by `dfcache` of the importer's own kind, taken out on the other hosts by theirs, on
 * the last of them after the importer was killed.
 *
 *   node bench/interop/persistent-cache.ts --binaries DIR [--mix original,original,original,ours] [--keep]
 *
 * Of a mix in which seed peer and peers are not of one kind each is the importer once. Two replicas are asked for.
 */
import { execFile } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { clusterDirectory } from './cluster-directory.ts';
import { socketPath } from './configuration.ts';
import { MixedCluster, parseMix, type Daemon } from './mixed-cluster.ts';

const run = promisify(execFile);
const deadline = { timeout: 120_000, killSignal: 'SIGKILL' } as const;
const fileBytes = 20 * 2 ** 20 + 7;

const { values } = parseArgs({
  options: {
    binaries: { type: 'string' },
    mix: { type: 'string', multiple: true, default: ['ours,ours,original,ours', 'ours,ours,ours,original'] },
    keep: { type: 'boolean', default: false },
  },
});
if (values.binaries === undefined) throw new Error('--binaries: the directory with the programs of the original');
for (const mix of values.mix) await runMix(mix, values.binaries);

async function runMix(name: string, binaries: string): Promise<void> {
  await using directory = await clusterDirectory('df-cache-', values.keep);
  const mix = parseMix(name);
  await using cluster = await MixedCluster.start({ mix, binaries, directory: directory.path });
  const daemons = [cluster.seed, ...cluster.peers];
  for (const importer of [cluster.seed, ...cluster.peers.slice(0, 1)]) {
    const others = daemons.filter((daemon) => daemon !== importer);
    const tell = (what: string, outcome: unknown): void =>
      console.log(new Date().toISOString(), name, `${importer.part.name} (${importer.part.kind}): ${what}`, outcome);
    try {
      const { path, sha256 } = await makeRandomFile(join(directory.path, `${importer.part.name}.bin`), fileBytes);
      const id = await importBy(importer, path);
      tell('import', id);
      const last = others.pop();
      for (const other of others) tell(`export on ${other.part.name}`, await exportBy(other, id, sha256));
      await importer.part.kill();
      if (last) tell(`export on ${last.part.name}, importer killed`, await exportBy(last, id, sha256));
      await importer.part.start();
    } catch (error) {
      tell('failed', (error as Error).message);
      process.exitCode = 1;
    }
  }
}

async function importBy({ part }: Daemon, path: string): Promise<string> {
  const text = randomUUID();
  const named = ['--content-for-calculating-task-id', text, '--persistent-replica-count', '2'];
  await run(
    part.programPath('dfcache'),
    ['import', '--endpoint', socketPath(part.directory), ...named, path],
    deadline,
  );
  // The original's tells it to a terminal only.
  return createHash('sha256').update(text).digest('hex');
}

async function exportBy({ part }: Daemon, id: string, sha256: string): Promise<string> {
  const output = join(part.directory, 'exported');
  const args = ['export', '--endpoint', socketPath(part.directory), '--output', output, id];
  try {
    await run(part.programPath('dfcache'), args, deadline);
    return (await sha256OfFile(output)) === sha256 ? 'right' : 'OTHER BYTES';
  } catch (error) {
    process.exitCode = 1;
    return `failed: ${(error as Error).message.trim().split('\n').at(-1)}`;
  } finally {
    await rm(output, { force: true });
  }
}
