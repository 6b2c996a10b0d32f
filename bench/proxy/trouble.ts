/**
 * What a death costs those who pull: three peers pull one cold blob at once, a service is killed when a third of it has
 * arrived, and the slowest pull is compared with the same pull from the origin itself. Every byte is checked.
 *
 * node bench/proxy/trouble.ts [--size 60MiB] [--rate 20MiB] [--rounds 3]
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rename } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { formatBytes, parseBytes } from '../../src/core/units.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const { values } = parseArgs({
  options: {
    size: { type: 'string', default: '60MiB' },
    rate: { type: 'string', default: '20MiB' },
    rounds: { type: 'string', default: '3' },
  },
});
const sizeBytes = parseBytes(values.size);
const victims = ['nobody', 'manager', 'scheduler-1', 'seed-1', 'peer-4'];
const pullers = ['peer-1', 'peer-2', 'peer-3'];

await using directory = await temporaryDirectory('df-trouble-');
await using origin = await NginxOrigin.start({ directory: directory.path, rateBytesPerSec: parseBytes(values.rate) });
let blobs = 0;

console.log(`${formatBytes(sizeBytes)}, the origin gives ${formatBytes(parseBytes(values.rate))}/s to a connection`);
for (const victim of victims) {
  const [late, copies]: [number[], number[]] = [[], []];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const direct = await pull(new URL(origin.url), await publish(), () => undefined);
    const name = `cluster-${victim}-${round}`;
    await mkdir(directory.join(name));
    await using cluster = await LocalCluster.start({ directory: directory.join(name), peers: 4 });
    const proxies = pullers.map((peer) => new URL(`http://${cluster.node(peer).process.address('proxy')}`));
    await Promise.all(proxies.map(async (proxy) => pull(proxy, await publish(), () => undefined))); // compiles code
    const blob = await publish();
    const third = Promise.withResolvers<void>();
    const helper = victim === 'peer-4' ? new URL(`http://${cluster.node(victim).process.address('proxy')}`) : undefined;
    const helping = helper && pull(helper, blob, () => undefined).catch(() => undefined);
    const pulls = Promise.all(
      proxies.map((proxy) => pull(proxy, blob, (bytes) => bytes > sizeBytes / 3 && third.resolve())),
    );
    await Promise.race([third.promise, pulls]);
    if (victim !== 'nobody') await cluster.kill(victim);
    late.push(Math.max(...(await pulls)) - direct);
    await helping;
    copies.push((await origin.bytesSent(blob.path)) / sizeBytes);
  }
  const list = late.map((ms) => `${ms >= 0 ? '+' : ''}${(ms / 1000).toFixed(2)} s`).join(', ');
  console.log(
    `${victim.padEnd(12)} slowest pull against the origin alone: ${list}; copies ${copies.map((count) => count.toFixed(2)).join(', ')}`,
  );
}

interface Blob {
  readonly path: string;
  readonly sha256: string;
}

async function publish(): Promise<Blob> {
  const folder = join(origin.root, 'v2', 'trouble', 'blobs');
  await mkdir(folder, { recursive: true });
  const { path, sha256 } = await makeRandomFile(join(folder, `new-${(blobs += 1)}`), sizeBytes);
  await rename(path, join(folder, `sha256:${sha256}`));
  return { path: `/v2/trouble/blobs/sha256:${sha256}`, sha256 };
}

/** Milliseconds until the last byte. */
async function pull(from: URL, { path, sha256 }: Blob, onBytes: (bytes: number) => unknown): Promise<number> {
  const startedMs = performance.now();
  const headers = { 'X-Dragonfly-Registry': origin.url };
  const outgoing = request({ host: from.hostname, port: from.port, path, headers, agent: false });
  outgoing.end();
  const [message] = (await once(outgoing, 'response')) as [IncomingMessage];
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const block of message) {
    hash.update(block as Buffer);
    bytes += (block as Buffer).length;
    onBytes(bytes);
  }
  const ms = performance.now() - startedMs;
  if (message.statusCode !== 200 || hash.digest('hex') !== sha256) throw new Error(`wrong answer from ${from.host}`);
  return ms;
}
