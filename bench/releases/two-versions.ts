/**
 * Two versions of one directory in a cluster of real processes: how long each step takes, and how many bytes come to the nodes.
 *
 *   node bench/releases/two-versions.ts [--size 2GiB] [--share 3] [--peers 3]
 */
import { mkdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { formatBytes, parseBytes } from '../../src/core/units.ts';
import { change, mib, releaseLab, requireSame } from '../../test/releases/release-lab.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '2GiB' },
    share: { type: 'string', default: '3' },
    peers: { type: 'string', default: '3' },
  },
});
const [size, share, peers] = [parseBytes(values.size), Number(values.share) / 100, Number(values.peers)];
const files = 8;
/** Tensors that were trained, of two mebibytes each. */
const runBytes = 2 * mib;

let counted = 0;
await using lab = await releaseLab(peers);
const directory = lab.directory.join('model');
await mkdir(directory);
const fileBytes = Math.floor(size / files);
for (let file = 0; file < files; file += 1)
  await makeRandomFile(`${directory}/${file}.safetensors`, fileBytes, `file ${file}`);
const runs = Math.max(1, Math.round((size * share) / runBytes));
console.log(
  `${formatBytes(size)} in ${files} files, then ${runs} runs of ${formatBytes(runBytes)} changed, ${peers} nodes`,
);
await bring('v1', size);
const perFile = Math.ceil(runs / files);
for (let run = 0; run < runs; run += 1) {
  const position = Math.floor(((Math.floor(run / files) + 0.5) * fileBytes) / perFile);
  await change(`${directory}/${run % files}.safetensors`, position, runBytes, `run ${run}`);
}
await bring('v2', runs * runBytes);

/** Publishes the directory as it is, and brings it to all other nodes. */
async function bring(version: string, changedBytes: number): Promise<void> {
  const published = await timed(() => lab.publish(1, directory, `model@${version}`));
  if (published.result.error) throw published.result.error;
  console.log(`publish ${version}: ${published.seconds} s; ${published.result.stdout.toString().trim()}`);
  const others = Array.from({ length: peers - 1 }, (_, index) => index + 2);
  const before = await sumOf(others);
  const subscribed = await timed(() =>
    Promise.all(others.map((peer) => lab.subscribe(peer, 'model', lab.directory.join(`m${peer}`), '--once'))),
  );
  for (const { error } of subscribed.result) if (error) throw error;
  for (const peer of others) await requireSame(directory, `${lab.directory.join(`m${peer}`)}/`);
  // What became a replica came while it was published.
  const moved = (await sumOf(others)) - counted;
  counted += moved;
  const times = (moved / (changedBytes * others.length)).toFixed(3);
  console.log(
    `subscribe ${version}: all ${others.length} other nodes in ${subscribed.seconds} s (${formatBytes((await sumOf(others)) - before)} of it then); ${formatBytes(moved)} came to them in all, ${times} × what had changed`,
  );
}

async function sumOf(numbers: readonly number[]): Promise<number> {
  const bytes = await Promise.all(numbers.map((peer) => lab.received(peer)));
  return bytes.reduce((sum, one) => sum + one, 0);
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: string }> {
  const startMs = performance.now();
  const result = await work();
  return { result, seconds: ((performance.now() - startMs) / 1000).toFixed(1) };
}
