/**
 * Many clients of few daemons want one cold layer at the same moment: time against one client alone, copies and requests
 * at the origin. The origin gives each connection a fixed rate, as a registry far away does; on a loopback without one
 * the crowd would only measure how fast this machine copies memory.
 *
 * node bench/proxy/crowd.ts [--clients 100] [--daemons 5] [--size 200MiB] [--rate 5MiB]
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rename } from 'node:fs/promises';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LocalCluster } from '../../src/cli/up-cluster.ts';
import { formatBytes, parseBytes } from '../../src/core/units.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '100' },
    daemons: { type: 'string', default: '5' },
    size: { type: 'string', default: '200MiB' },
    rate: { type: 'string', default: '5MiB' },
  },
});
const sizeBytes = parseBytes(values.size);
const rateBytesPerSec = parseBytes(values.rate);

await using directory = await temporaryDirectory('df-crowd-');
await using origin = await NginxOrigin.start({ directory: directory.path, rateBytesPerSec });
await using cluster = await LocalCluster.start({ directory: directory.path, peers: Number(values.daemons) });
const proxies = cluster.peers.map((peer) => new URL(`http://${peer.process.address('proxy')}`));

let blobs = 0;
const direct = await pull([new URL(origin.url)]);
const single = await pull([proxies[0] as URL]);
const crowd = await pull(
  Array.from({ length: Number(values.clients) }, (_, index) => proxies[index % proxies.length] as URL),
);
print(`${formatBytes(sizeBytes)}, the origin gives ${formatBytes(rateBytesPerSec)}/s`);
print(
  `one client alone, without us: ${(direct.ms / 1000).toFixed(2)} s; by its daemon: ${(single.ms / 1000).toFixed(2)} s`,
);
print(
  `${values.clients} clients of ${values.daemons} daemons: ${(crowd.ms / 1000).toFixed(2)} s, ratio ${(crowd.ms / single.ms).toFixed(2)}`,
);
print(`origin: ${crowd.requests} requests with a body, ${(crowd.originBytes / sizeBytes).toFixed(3)} copies`);

async function pull(through: readonly URL[]): Promise<{ ms: number; requests: number; originBytes: number }> {
  const folder = join(origin.root, 'v2', 'crowd', 'blobs');
  await mkdir(folder, { recursive: true });
  const file = await makeRandomFile(join(folder, `new-${(blobs += 1)}`), sizeBytes); // its name decides its content
  await rename(file.path, join(folder, `sha256:${file.sha256}`));
  const path = `/v2/crowd/blobs/sha256:${file.sha256}`;
  const startedMs = performance.now();
  const seen = new Set<string>();
  const firstOfItsDaemon = ({ host }: URL): boolean => !seen.has(host) && seen.add(host) !== undefined;
  await Promise.all(through.map((to) => download(to, path, firstOfItsDaemon(to) ? file.sha256 : undefined)));
  const ms = performance.now() - startedMs;
  const requests = await origin.requests(path);
  return { ms, requests: requests.length, originBytes: requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0) };
}

/** Every client checks length and status, one of each daemon the content: hashing for all would be the bottleneck. */
async function download(to: URL, path: string, sha256: string | undefined): Promise<void> {
  const headers = { 'X-Dragonfly-Registry': origin.url };
  const outgoing = request({ host: to.hostname, port: to.port, path, headers, agent: false });
  outgoing.end();
  const [message] = (await once(outgoing, 'response')) as [IncomingMessage];
  const hash = sha256 === undefined ? undefined : createHash('sha256');
  let length = 0;
  message.on('data', (block: Buffer) => {
    length += block.length;
    hash?.update(block);
  });
  await once(message, 'end');
  const right = message.statusCode === 200 && length === sizeBytes && hash?.digest('hex') === sha256;
  if (!right) throw new Error(`wrong answer (${message.statusCode}, ${length} bytes) from ${to.host}`);
}

function print(text: string): void {
  console.log(text);
}
