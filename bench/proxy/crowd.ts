/**
 * Many clients of few daemons want one cold layer at the same moment: time against one client alone, copies and requests
 * at the origin. The origin gives each connection a fixed rate, as a registry far away does; on a loopback without one
 * the crowd would only measure how fast this machine copies memory.
 *
 * node bench/proxy/crowd.ts [--clients 100] [--daemons 5] [--size 200MiB] [--rate 5MiB]
 */
import { execFile } from 'node:child_process';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { formatBytes, parseBytes } from '../../src/core/units.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const execute = promisify(execFile);
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
  // the content is checked once for each daemon, afterwards: to hash it for all would be the bottleneck
  const kept = new Map(through.map((to, index) => [index % cluster.peers.length, join(directory.path, to.port)]));
  await Promise.all(through.map((to, index) => download(to, path, index < kept.size ? kept.get(index) : undefined)));
  const ms = performance.now() - startedMs;
  for (const output of kept.values()) {
    if ((await sha256OfFile(output)) !== file.sha256) throw new Error(`wrong content in ${output}`);
  }
  const requests = await origin.requests(path);
  return { ms, requests: requests.length, originBytes: requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0) };
}

async function download(to: URL, path: string, output = '/dev/null'): Promise<void> {
  const header = `X-Dragonfly-Registry: ${origin.url}`;
  const options = ['-sS', '-o', output, '-w', '%{http_code} %{size_download}', '-H', header];
  const { stdout } = await execute('curl', [...options, new URL(path, to).href]);
  if (stdout !== `200 ${sizeBytes}`) throw new Error(`wrong answer (${stdout}) from ${to.host}`);
}

function print(text: string): void {
  console.log(text);
}
