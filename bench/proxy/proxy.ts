/**
 * What the proxy costs, measured side by side in one run:
 *   first byte  header and first body byte of cold blobs through the proxy against the same blobs from the origin itself, in turns; p50 and
 *               p99; the origin behind a distant link
 *   warm        one large blob held by this node against nginx serving the same file from the page cache; CPU per GiB
 *
 * node bench/proxy/proxy.ts [--blobs 200] [--size 1GiB] [--round-trip-ms 50] [--rate 125MB]
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { formatBytes, parseBytes } from '../../src/core/units.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { DistantLink } from './distant-link.ts';
import { quantile } from './quantile.ts';

const { values } = parseArgs({
  options: {
    blobs: { type: 'string', default: '200' },
    size: { type: 'string', default: '1GiB' },
    'round-trip-ms': { type: 'string', default: '50' },
    rate: { type: 'string', default: '125MB' },
  },
});
const blobBytes = 4 * 2 ** 20;

await using directory = await temporaryDirectory('df-bench-');
await using origin = await NginxOrigin.start({ directory: directory.path });
await using cluster = await LocalCluster.start({ directory: directory.path, peers: 1 });
await using link = await DistantLink.open({
  target: new URL(origin.url).host,
  roundTripMs: Number(values['round-trip-ms']),
  bytesPerSec: parseBytes(values.rate),
});
const proxy = new URL(`http://${cluster.node('peer-1').process.address('proxy')}`);
const agents = { direct: new Agent({ keepAlive: true }), proxied: new Agent({ keepAlive: true }) };

await measureFirstByte(Number(values.blobs));
await measureWarm(parseBytes(values.size));

async function measureFirstByte(count: number): Promise<void> {
  const times = { direct: [] as FirstByte[], proxied: [] as FirstByte[] };
  for (let index = 0; index < count + 10; index += 1) {
    const path = await blob(`first-${index}`, blobBytes);
    for (const way of index % 2 === 0 ? (['direct', 'proxied'] as const) : (['proxied', 'direct'] as const)) {
      const time = await firstByte(way, path);
      if (index >= 10) times[way].push(time); // the first ones compile code
    }
  }
  print(
    `first byte, ${count} cold blobs of ${formatBytes(blobBytes)}, ${values['round-trip-ms']} ms round trip, ${values.rate}/s`,
  );
  for (const part of ['headerMs', 'bodyMs'] as const) {
    const [direct, proxied] = [times.direct, times.proxied].map((list) => list.map((time) => time[part]));
    const line = [0.5, 0.99].map((share) => {
      const [plain, through] = [quantile(direct ?? [], share), quantile(proxied ?? [], share)];
      return `p${share * 100} direct ${plain.toFixed(2)} ms, proxied ${through.toFixed(2)} ms, ratio ${(through / plain).toFixed(2)}`;
    });
    print(`  ${part.padEnd(8)} ${line.join('; ')}`);
  }
}

async function measureWarm(sizeBytes: number): Promise<void> {
  const path = await blob('warm', sizeBytes);
  await curl(`${origin.url}${path}`, proxy.href);
  const ways = {
    nginx: { url: `${origin.url}${path}`, via: undefined, pids: await childrenOf(process.pid, 'nginx') },
    proxy: { url: `${origin.url}${path}`, via: proxy.href, pids: [cluster.node('peer-1').process.pid] },
  };
  print(`warm, ${formatBytes(sizeBytes)}, three runs each in turns`);
  const best: Record<string, number> = {};
  for (let round = 0; round < 3; round += 1) {
    for (const [name, { url, via, pids }] of Object.entries(ways)) {
      const before = await cpuSeconds(pids);
      const startedMs = performance.now();
      await curl(url, via);
      const seconds = (performance.now() - startedMs) / 1000;
      const cpu = (await cpuSeconds(pids)) - before;
      const rate = sizeBytes / seconds;
      best[name] = Math.max(best[name] ?? 0, rate);
      print(`  ${name.padEnd(6)} ${formatBytes(rate)}/s, ${((cpu / sizeBytes) * 2 ** 30).toFixed(2)} CPU s per GiB`);
    }
  }
  print(`  ratio of the best: ${((best['proxy'] ?? 0) / (best['nginx'] ?? 1)).toFixed(2)}`);
}

/** A blob at the origin under the path a registry has for it. */
async function blob(name: string, sizeBytes: number): Promise<string> {
  const folder = join(origin.root, 'v2', 'bench', 'blobs');
  await mkdir(folder, { recursive: true });
  const file = await makeRandomFile(join(folder, createHash('sha256').update(name).digest('hex')), sizeBytes);
  await rename(file.path, join(folder, `sha256:${file.sha256}`));
  return `/v2/bench/blobs/sha256:${file.sha256}`;
}

interface FirstByte {
  readonly headerMs: number;
  readonly bodyMs: number;
}

async function firstByte(way: 'direct' | 'proxied', path: string): Promise<FirstByte> {
  const target = way === 'direct' ? new URL(link.url) : proxy;
  const startedMs = performance.now();
  const headers = { 'X-Dragonfly-Registry': link.url };
  const outgoing = request({ host: target.hostname, port: target.port, path, agent: agents[way], headers });
  outgoing.end();
  const [message] = await once(outgoing, 'response');
  const headerMs = performance.now() - startedMs;
  await once(message, 'readable');
  const bodyMs = performance.now() - startedMs;
  message.resume();
  await once(message, 'end');
  return { headerMs, bodyMs };
}

async function curl(url: string, via: string | undefined): Promise<void> {
  const child = spawn('curl', ['-sSf', '-o', '/dev/null', ...(via === undefined ? [] : ['-x', via]), url], {
    stdio: 'inherit',
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`curl ended with ${String(code)}`);
}

async function childrenOf(pid: number, name: string): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  const direct = text.split(' ').filter(Boolean).map(Number);
  const all = await Promise.all(
    direct.map(async (child) => [child, ...(await childrenOf(child, name).catch(() => []))]),
  );
  const named = await Promise.all(
    all
      .flat()
      .map(async (child) => ((await readFile(`/proc/${child}/comm`, 'utf8')).trim() === name ? child : undefined)),
  );
  return named.filter((child) => child !== undefined);
}

async function cpuSeconds(pids: readonly number[]): Promise<number> {
  const ticks = await Promise.all(
    pids.map(async (pid) => {
      const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^.*\) /, '').split(' ');
      return Number(fields[11]) + Number(fields[12]);
    }),
  );
  return ticks.reduce((sum, value) => sum + value, 0) / 100;
}

function print(text: string): void {
  console.log(text);
}
