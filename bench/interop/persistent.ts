/**
 * Persistent tasks: files that `dfstore` of the original and of ours put into the cluster and an object store, at a daemon of each kind, and take
 * out at the others.
 *
 *   node bench/interop/persistent.ts --binaries DIR [--mix original,original,original,ours] [--keep]
 *
 * Needs Ceph. Prints what each daemon says to each program, and what `dfctl persistent-task ls` lists there; nothing is expected.
 */
import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { CephGateway } from '../../test/source/ceph-gateway.ts';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { clusterDirectory } from './cluster-directory.ts';
import { socketPath } from './configuration.ts';
import { MixedCluster, parseMix, type Daemon } from './mixed-cluster.ts';

const run = promisify(execFile);
const deadline = { timeout: 60_000, killSignal: 'SIGKILL' } as const;
const makers = ['original', 'ours'] as const;
type Maker = (typeof makers)[number];
const ownPrograms = fileURLToPath(new URL('../../bin', import.meta.url));
const fileBytes = 20 * 2 ** 20 + 7;

const { values } = parseArgs({
  options: {
    binaries: { type: 'string' },
    mix: {
      type: 'string',
      multiple: true,
      default: ['ours,ours,original,ours', 'ours,ours,ours,original'],
    },
    keep: { type: 'boolean', default: false },
  },
});
if (values.binaries === undefined) throw new Error('--binaries: the directory with the programs of the original');
const { binaries } = values;
await using directory = await clusterDirectory('df-persistent-', values.keep);
await using store = await CephGateway.start(directory.path);
await store.put('kept');
const storage = Object.entries({
  endpoint: store.endpoint,
  region: 'us-east-1',
  'access-key-id': store.accessKeyId,
  'access-key-secret': store.accessKeySecret,
}).flatMap(([name, value]) => [`--storage-${name}`, value]);
for (const [index, mix] of values.mix.entries()) await runMix(mix, join(directory.path, String(index)));

async function runMix(name: string, place: string): Promise<void> {
  await mkdir(place);
  await using cluster = await MixedCluster.start({ mix: parseMix(name), binaries, directory: place });
  const daemons = [cluster.seed, ...cluster.peers];
  for (const importer of [cluster.seed, ...cluster.peers.slice(0, 1)])
    for (const by of makers) {
      const file = await makeRandomFile(join(place, `${importer.part.name}-${by}.bin`), fileBytes);
      const url = `s3://kept/${name.replaceAll(',', '-')}/${importer.part.name}-${by}.bin`;
      const tell = (what: string, outcome: unknown): void =>
        console.log(`${name} | ${importer.part.name} (${importer.part.kind}) | dfstore of ${by}: ${what}:`, outcome);
      tell(
        'import',
        await outcome(importer, { program: 'dfstore', by }, ['import', ...storage, '--url', url, file.path]),
      );
      for (const other of daemons.filter((daemon) => daemon !== importer)) {
        const output = join(other.part.directory, 'exported');
        const words = ['export', ...storage, '--output', output, url];
        const said = await outcome(other, { program: 'dfstore', by }, words);
        const right = said === 'done' && (await sha256OfFile(output)) === file.sha256;
        const seen = said === 'done' ? (right ? 'right' : 'OTHER BYTES') : said;
        tell(`export at ${other.part.name} (${other.part.kind})`, seen);
        await rm(output, { force: true });
      }
    }
  for (const daemon of daemons.slice(0, 2))
    console.log(
      name,
      daemon.part.name,
      daemon.part.kind,
      'ls:',
      await outcome(daemon, { program: 'dfctl', by: 'original' }, ['persistent-task', 'ls']),
    );
}

/** What a program says at the socket of this daemon. */
async function outcome(
  { part }: Daemon,
  { program, by }: { readonly program: 'dfstore' | 'dfctl'; readonly by: Maker },
  [command = '', ...args]: readonly string[],
): Promise<string> {
  const endpoint = ['--endpoint', socketPath(part.directory)];
  const [first = '', ...rest] = args;
  const words = program === 'dfctl' ? [command, first, ...endpoint, ...rest] : [command, ...endpoint, ...args];
  try {
    const { stdout } = await run(join(by === 'ours' ? ownPrograms : binaries, program), words, deadline);
    return program === 'dfctl' ? stdout.trim() : 'done';
  } catch (error) {
    const { stderr = '', message } = error as { readonly stderr?: string; readonly message: string };
    return `failed: ${(stderr || message).replaceAll(/\s+/g, ' ').slice(0, 300)}`;
  }
}
