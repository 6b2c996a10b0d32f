/**
 * What nydusd would see: HEAD, then ranges of 128 KiB to 1 MiB in a recorded order from 8 threads, with a token, of blobs
 * of a registry on a distant link. Four ways in turns, each round with blobs nobody has seen:
 *   direct        from the registry
 *   cold          through the proxy of a peer, nothing anywhere in the cluster
 *   remote peer   through the proxy of another peer, which holds nothing yet, while the first one holds it all
 *   local         through the first peer's proxy again
 *
 * node bench/proxy/nydus.ts [--rounds 5] [--size 64MiB] [--ranges 96] [--round-trip-ms 50] [--rate 125MB]
 */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { parseArgs } from 'node:util';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { formatBytes, parseBytes } from '../../src/core/units.ts';
import { DockerRegistry, registryUser } from '../../test/proxy/support/docker-registry.ts';
import { makeImage, pushImage } from '../../test/proxy/support/images.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { waitFor } from '../../test/support/wait-for.ts';
import { DistantLink } from './distant-link.ts';
import { quantile } from './quantile.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    size: { type: 'string', default: '64MiB' },
    ranges: { type: 'string', default: '96' },
    'round-trip-ms': { type: 'string', default: '50' },
    rate: { type: 'string', default: '125MB' },
  },
});
const sizeBytes = parseBytes(values.size);
const kibibyte = 1024;
const threads = 8;
const repository = 'lazy/app';

await using directory = await temporaryDirectory('df-nydus-');
await using registry = await DockerRegistry.start({ directory: directory.join('registry'), auth: 'token' });
await using link = await DistantLink.open({
  target: registry.host,
  roundTripMs: Number(values['round-trip-ms']),
  bytesPerSec: parseBytes(values.rate),
});
await using cluster = await LocalCluster.start({ directory: directory.path, peers: 2 });
const [first, second] = ['peer-1', 'peer-2'].map((name) => `http://${cluster.node(name).process.address('proxy')}`);
const token = await login();
const replays = recordedRanges(Number(values.ranges));

await measure();

async function measure(): Promise<void> {
  const times: Record<string, number[]> = { direct: [], cold: [], 'remote peer': [], local: [] };
  let originBytes = 0;
  for (let round = -1; round < Number(values.rounds); round += 1) {
    const { digest, content } = await publish();
    const ways = { direct: link.url, cold: first, 'remote peer': second, local: first };
    const plain = await publish();
    for (const [way, url] of Object.entries(ways)) {
      const blob = way === 'direct' ? plain : { digest, content };
      const seconds = await replay(url ?? '', blob);
      if (round >= 0) times[way]?.push(seconds); // the round before them compiles code and opens connections
      if (way === 'cold') await whole(digest);
    }
    originBytes += registry.bytesSent(digest);
  }
  const direct = quantile(times['direct'] ?? [], 0.5);
  print(
    `${formatBytes(sizeBytes)} blobs, ${replays.length} ranges, ${formatBytes(replays.reduce((sum, { length }) => sum + length, 0))} in all, ${threads} threads; ` +
      `${values['round-trip-ms']} ms round trip, ${formatBytes(parseBytes(values.rate))}/s`,
  );
  for (const [way, list] of Object.entries(times)) {
    const median = quantile(list, 0.5);
    const spread = `${Math.min(...list).toFixed(2)}…${Math.max(...list).toFixed(2)}`;
    print(`  ${way.padEnd(12)} median ${median.toFixed(2)} s (${spread}), ${(median / direct).toFixed(2)} of direct`);
  }
  const copies = originBytes / sizeBytes / (Number(values.rounds) + 1);
  print(`  copies of a blob that left the registry for the cluster: ${copies.toFixed(2)}`);
}

/** The same in every run: metadata at the end first, then scattered chunks, as files of an image are opened at start. */
function recordedRanges(count: number): { start: number; length: number }[] {
  const ranges = [{ start: sizeBytes - 128 * kibibyte, length: 128 * kibibyte }];
  let state = 7;
  while (ranges.length < count) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    const length = (128 << ((state >> 8) % 4)) * kibibyte;
    ranges.push({ start: Math.floor((state / 2 ** 31) * (sizeBytes - length)), length });
  }
  return ranges;
}

async function replay(through: string, { digest, content }: { digest: string; content: Buffer }): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: threads });
  const path = `/v2/${repository}/blobs/${digest}`;
  const headers = {
    Authorization: `Bearer ${token}`,
    'X-Dragonfly-Registry': link.url,
    'X-Dragonfly-Prefetch': 'true',
  };
  const startedMs = performance.now();
  const head = await ask(`${through}${path}`, { method: 'HEAD', agent, headers });
  if (head.headers['content-length'] !== String(sizeBytes)) throw new Error(`HEAD answered ${head.status}`);
  const queue = [...replays];
  const worker = async (): Promise<void> => {
    for (let range = queue.shift(); range; range = queue.shift()) {
      const { start, length } = range;
      const part = await ask(`${through}${path}`, {
        agent,
        headers: { ...headers, Range: `bytes=${start}-${start + length - 1}` },
      });
      const right = part.status === 206 && part.body.equals(content.subarray(start, start + length));
      if (!right) throw new Error(`wrong answer ${part.status} for ${start}+${length} from ${through}`);
    }
  };
  await Promise.all(Array.from({ length: threads }, worker));
  const seconds = (performance.now() - startedMs) / 1000;
  agent.destroy();
  return seconds;
}

/** The rest of the blob has come to the first peer in the background. */
async function whole(digest: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, 'X-Dragonfly-Registry': link.url };
  await waitFor('the prefetch to end', async () => {
    const answer = await ask(`${first}/v2/${repository}/blobs/${digest}`, { headers });
    return answer.headers['x-dragonfly-task-download-finished'] === 'true';
  });
}

async function publish(): Promise<{ digest: string; content: Buffer }> {
  const content = randomBytes(sizeBytes);
  const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  const image = { ...makeImage({ layers: 0, layerBytes: 0 }), layers: [{ digest, content }] };
  await pushImage(registry.url, repository, 'nydus', image, registry.request);
  return { digest, content };
}

async function login(): Promise<string> {
  const refused = await fetch(`${registry.url}/v2/${repository}/manifests/x`);
  const [, realm = '', service = '', scope = ''] =
    /realm="([^"]+)",service="([^"]+)",scope="([^"]+)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? [];
  const authorization = `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64')}`;
  const answer = await fetch(`${realm}?service=${service}&scope=${scope}`, { headers: { authorization } });
  return ((await answer.json()) as { token: string }).token;
}

async function ask(
  url: string,
  options: { method?: string; agent?: Agent; headers: Record<string, string> },
): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
  const outgoing = request(url, options);
  outgoing.end();
  const [message] = (await once(outgoing, 'response')) as [IncomingMessage];
  const blocks: Buffer[] = [];
  for await (const block of message) blocks.push(block as Buffer);
  return { status: message.statusCode ?? 0, headers: message.headers, body: Buffer.concat(blocks) };
}

function print(text: string): void {
  console.log(text);
}
