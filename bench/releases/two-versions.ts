/**
 * Two versions of one directory in a cluster of real processes: how long each step takes, and how many bytes come to the nodes.
 *
 *   node bench/releases/two-versions.ts [--size 2GiB] [--share 3] [--peers 3]
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { parseArgs, promisify } from 'node:util';
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

await using lab = await releaseLab(peers);
const [v1, v2] = [lab.directory.join('v1'), lab.directory.join('v2')];
await mkdir(v1);
const fileBytes = Math.floor(size / files);
for (let file = 0; file < files; file += 1)
  await makeRandomFile(`${v1}/${file}.safetensors`, fileBytes, `file ${file}`);
await promisify(execFile)('cp', ['-a', v1, v2]);
const runs = Math.max(1, Math.round((size * share) / runBytes));
const perFile = Math.ceil(runs / files);
for (let run = 0; run < runs; run += 1) {
  const position = Math.floor(((Math.floor(run / files) + 0.5) * fileBytes) / perFile);
  await change(`${v2}/${run % files}.safetensors`, position, runBytes, `run ${run}`);
}
console.log(`${formatBytes(size)} in ${files} files, ${runs} changed runs of ${formatBytes(runBytes)}, ${peers} nodes`);

let before = 0;
for (const [version, directory, changed] of [
  ['v1', v1, size],
  ['v2', v2, runs * runBytes],
] as const) {
  const published = await timed(() => lab.publish(1, directory, `model@${version}`));
  if (published.result.error) throw published.result.error;
  console.log(`publish ${version}: ${published.seconds} s; ${published.result.stdout.toString().trim()}`);
  const others = Array.from({ length: peers - 1 }, (_, index) => index + 2);
  const subscribed = await timed(() =>
    Promise.all(others.map((peer) => lab.subscribe(peer, 'model', lab.directory.join(`m${peer}`), '--once'))),
  );
  for (const { error } of subscribed.result) if (error) throw error;
  for (const peer of others) await requireSame(directory, `${lab.directory.join(`m${peer}`)}/`);
  const sums = await Promise.all(others.map((peer) => lab.received(peer)));
  const moved = sums.reduce((sum, bytes) => sum + bytes, 0) - before;
  before += moved;
  const wanted = changed * others.length;
  console.log(
    `subscribe ${version}: all ${others.length} nodes in ${subscribed.seconds} s, ${formatBytes(moved)} came to them, ${(moved / wanted).toFixed(3)} × what had changed`,
  );
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: string }> {
  const startMs = performance.now();
  const result = await work();
  return { result, seconds: ((performance.now() - startMs) / 1000).toFixed(1) };
}
