/**
 * A sparse file of many GiB through two whole daemons: nginx → seed → peer; offsets, bounded memory.
 *
 *   node bench/transport/sparse.ts [--gib 100]
 *
 * Needs root, nginx and btrfs-progs: the stores lie on a compressing file system in a sparse image, so that zeros take no
 * room. Random blocks stand at known offsets, about the powers of two among them; they, and zeros between, are compared.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/swarm/shared/random.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { BenchSwarm } from './daemon-swarm.ts';
import { cpuSecondsOf, peakRssBytes } from './processes.ts';

const { values } = parseArgs({ options: { gib: { type: 'string', default: '100' } } });
const gibibyte = 2 ** 30;
const sizeBytes = Number(values.gib) * gibibyte + 12_345;
const markerBytes = 64 * 1024;
const sampledZeros = 2000;
const deadlineMs = 3_600_000;
/** Of the daemons' stores, as the file system tells it; what the image takes on the disk is a few per cent. */
const imageBytes = 4 * sizeBytes + 16 * gibibyte;

await using cleanup = new AsyncDisposableStack();
const directory = cleanup.use(await temporaryDirectory('dragonfly-sparse-'));
const stores = mountCompressing();
const origin = cleanup.use(await NginxOrigin.start({ directory: directory.path }));
const markers = makeSparseFile(join(origin.root, 'sparse'));
const swarm = cleanup.use(await BenchSwarm.start({ directory: stores }));
const seed = await swarm.daemon('seed', { scheduler: { manager: { seedPeer: { enable: true } } } });
const peer = await swarm.daemon('peer');

const output = join(stores, 'output');
const { receipt, seconds } = await peer.download(`${origin.url}/sparse`, output, AbortSignal.timeout(deadlineMs));
if (receipt.bytesFromOrigin > 0) throw new Error(`the peer took ${receipt.bytesFromOrigin} bytes from the origin`);
checkContent(output);
const sent = await origin.bytesSent('/sparse');
const rss = [seed, peer].map(({ pid }) => Math.round(peakRssBytes(pid) / 2 ** 20));
const cpu = [seed, peer].map(({ pid }) => Math.round(cpuSecondsOf(pid)));
console.log(
  `${values.gib} GiB in ${Math.round(seconds)} s (${(sizeBytes / gibibyte / seconds).toFixed(2)} GiB/s), ${markers.size} markers and ${sampledZeros} blocks of zeros right; ` +
    `the origin sent ${(sent / sizeBytes).toFixed(3)} copies; peak RSS ${rss.join(', ')} MiB, CPU ${cpu.join(', ')} s (seed, peer)`,
);

function mountCompressing(): string {
  const [image, mounted] = [directory.join('image'), directory.join('stores')];
  writeFileSync(image, '');
  truncateSync(image, imageBytes);
  execFileSync('mkfs.btrfs', ['-q', image]);
  mkdirSync(mounted);
  execFileSync('mount', ['-o', 'loop,compress-force=zstd:1', image, mounted]);
  cleanup.defer(() => void execFileSync('umount', [mounted]));
  return mounted;
}

/** Zeros but for the markers; the digest of each by its offset. */
function makeSparseFile(path: string): Map<number, string> {
  const offsets = [0, sizeBytes - markerBytes];
  for (let power = 20; 2 ** power + markerBytes < sizeBytes; power += 1) offsets.push(2 ** power - 7);
  for (let at = 5 * gibibyte + 1; at + markerBytes < sizeBytes - markerBytes; at += 5 * gibibyte + 1) offsets.push(at);
  const made = new Map<number, string>();
  const file = openSync(path, 'w');
  const random = seededRandom(1);
  for (const offset of offsets) {
    const block = Buffer.from(Array.from({ length: markerBytes }, () => 1 + Math.floor(random() * 255)));
    writeSync(file, block, 0, markerBytes, offset);
    made.set(offset, digestOf(block));
  }
  closeSync(file);
  return made;
}

function checkContent(path: string): void {
  const { size } = statSync(path);
  if (size !== sizeBytes) throw new Error(`${size} bytes of ${sizeBytes}`);
  const file = openSync(path, 'r');
  const random = seededRandom(2);
  const block = Buffer.alloc(markerBytes);
  for (const [offset, digest] of markers) {
    readSync(file, block, 0, markerBytes, offset);
    if (digestOf(block) !== digest) throw new Error(`the marker at ${offset} is wrong`);
  }
  for (let count = 0; count < sampledZeros;) {
    const offset = Math.floor(random() * (sizeBytes - markerBytes));
    if ([...markers.keys()].some((marker) => Math.abs(marker - offset) < markerBytes)) continue;
    readSync(file, block, 0, markerBytes, offset);
    if (block.some((byte) => byte !== 0)) throw new Error(`at ${offset} there should be zeros`);
    count += 1;
  }
  closeSync(file);
}

function digestOf(block: Buffer): string {
  return createHash('sha256').update(block).digest('hex');
}
