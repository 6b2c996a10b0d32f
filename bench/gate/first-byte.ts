/** First body byte of cold blobs behind a distant link: asked of the origin itself, and through a node, in turns. */
import { once } from 'node:events';
import { mkdirSync, renameSync } from 'node:fs';
import { Agent, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { LocalCluster } from '../../src/cli/up/cluster.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { DistantLink } from '../proxy/distant-link.ts';
import { median } from '../transport/processes.ts';

const blobBytes = 4 * 2 ** 20;
const warmUps = 5;
const link = { roundTripMs: 20, bytesPerSec: 125e6 };

/** Time of the origin ÷ time through the node, medians. */
export async function measureFirstByte(directory: string, blobs: number): Promise<Map<string, number>> {
  await using owned = new AsyncDisposableStack();
  mkdirSync(join(directory, 'origin'));
  const origin = owned.use(await NginxOrigin.start({ directory: join(directory, 'origin') }));
  const distant = owned.use(await DistantLink.open({ target: new URL(origin.url).host, ...link }));
  const cluster = owned.use(await LocalCluster.start({ directory, peers: 1 }));
  const agents = { direct: new Agent({ keepAlive: true }), proxied: new Agent({ keepAlive: true }) };
  owned.defer(() => Object.values(agents).forEach((agent) => agent.destroy()));
  const ways = {
    direct: { to: new URL(distant.url), agent: agents.direct },
    proxied: { to: new URL(`http://${cluster.node('peer-1').process.address('proxy')}`), agent: agents.proxied },
  };
  const times = { direct: [] as number[], proxied: [] as number[] };
  for (let index = 0; index < blobs + warmUps; index += 1) {
    const path = await makeBlob(origin.root, index);
    for (const way of ['direct', 'proxied'] as const) {
      const ms = await firstByteMs(ways[way], path, distant.url);
      if (index >= warmUps) times[way].push(ms);
    }
  }
  return new Map([['first byte beside the origin itself', median(times.direct) / median(times.proxied)]]);
}

async function makeBlob(root: string, index: number): Promise<string> {
  const directory = join(root, 'v2', `bench-${index}`, 'blobs');
  mkdirSync(directory, { recursive: true });
  const { sha256 } = await makeRandomFile(join(directory, 'blob'), blobBytes);
  renameSync(join(directory, 'blob'), join(directory, `sha256:${sha256}`));
  return `/v2/bench-${index}/blobs/sha256:${sha256}`;
}

async function firstByteMs({ to, agent }: { to: URL; agent: Agent }, path: string, registry: string): Promise<number> {
  const startedMs = performance.now();
  const headers = { 'X-Dragonfly-Registry': registry };
  const asked = request({ host: to.hostname, port: to.port, path, agent, headers }).end();
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  if (answer.statusCode !== 200) throw new Error(`${path} was answered ${answer.statusCode}`);
  await once(answer, 'readable');
  const ms = performance.now() - startedMs;
  answer.resume();
  await once(answer, 'end');
  return ms;
}
