/**
 * Many clients of few daemons want one cold layer at the same moment: time against one client alone, copies and requests
 * at the origin.
 *
 * node bench/proxy/crowd.ts [--clients 100] [--daemons 5] [--size 200MiB]
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rename } from 'node:fs/promises';
import { request } from 'node:http';
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
  },
});
const sizeBytes = parseBytes(values.size);

await using directory = await temporaryDirectory('df-crowd-');
await using origin = await NginxOrigin.start({ directory: directory.path });
await using cluster = await LocalCluster.start({ directory: directory.path, peers: Number(values.daemons) });
const proxies = cluster.peers.map((peer) => new URL(`http://${peer.process.address('proxy')}`));

const single = await pull([proxies[0] as URL]);
const crowd = await pull(
  Array.from({ length: Number(values.clients) }, (_, index) => proxies[index % proxies.length] as URL),
);
print(`one client alone: ${(single.ms / 1000).toFixed(2)} s for ${formatBytes(sizeBytes)}`);
print(
  `${values.clients} clients of ${values.daemons} daemons: ${(crowd.ms / 1000).toFixed(2)} s, ratio ${(crowd.ms / single.ms).toFixed(2)}`,
);
print(`origin: ${crowd.requests} requests with a body, ${(crowd.originBytes / sizeBytes).toFixed(3)} copies`);

async function pull(through: readonly URL[]): Promise<{ ms: number; requests: number; originBytes: number }> {
  const folder = join(origin.root, 'v2', 'crowd', 'blobs');
  await mkdir(folder, { recursive: true });
  const file = await makeRandomFile(join(folder, `new-${through.length}`), sizeBytes);
  await rename(file.path, join(folder, `sha256:${file.sha256}`));
  const path = `/v2/crowd/blobs/sha256:${file.sha256}`;
  const startedMs = performance.now();
  await Promise.all(through.map((proxy) => download(proxy, path, file.sha256)));
  const ms = performance.now() - startedMs;
  const requests = await origin.requests(path);
  return { ms, requests: requests.length, originBytes: requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0) };
}

/** Every client checks what it got. */
async function download(proxy: URL, path: string, sha256: string): Promise<void> {
  const headers = { 'X-Dragonfly-Registry': origin.url };
  const outgoing = request({ host: proxy.hostname, port: proxy.port, path, headers, agent: false });
  outgoing.end();
  const [message] = await once(outgoing, 'response');
  const hash = createHash('sha256');
  for await (const block of message) hash.update(block as Buffer);
  if (message.statusCode !== 200 || hash.digest('hex') !== sha256)
    throw new Error(`wrong answer (${message.statusCode}) from ${proxy.host}`);
}

function print(text: string): void {
  console.log(text);
}
