/**
 * Clients that people use, each three times at once: directly, and by way of the proxies of three nodes with nothing stored. Prints one
 * row each: requests that reached the origin, and copies of the content that left it. Wrong bytes end the run.
 *
 * node bench/proxy/clients.ts [--only NAME,NAME] [--rate BYTES] [--verbose]      needs root (an address), nginx, docker-registry and the clients
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { parseBytes } from '../../src/core/units.ts';
import type { Count } from './clients/counting-relay.ts';
import { fileClients } from './clients/files.ts';
import { hubClients } from './clients/hubs.ts';
import { imageClients } from './clients/images.ts';
import { ClientLab, nodeCount, sha256Of, type Client } from './clients/lab.ts';
import { objectClients } from './clients/objects.ts';
import { packageClients } from './clients/packages.ts';
import { isThere } from './clients/programs.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rate: { type: 'string', default: '0' },
    verbose: { type: 'boolean', default: false },
  },
});
const wanted = values.only?.split(',') ?? [''];

await using owned = new AsyncDisposableStack();
const lab = owned.use(await ClientLab.start({ rateBytesPerSec: parseBytes(values.rate) }));
const clients: Client[] = [
  ...fileClients(lab),
  ...objectClients(lab),
  ...packageClients(lab),
  ...(await hubClients(lab, owned)),
  ...imageClients(lab),
];

print(`| client | requests, ${nodeCount} directly | copies | requests, ${nodeCount} nodes | copies |`);
print('| --- | --- | --- | --- | --- |');
for (const client of clients) {
  if (!wanted.some((name) => client.name.startsWith(name))) continue;
  if (!(await isThere(client.program))) {
    print(`| ${client.name} | not installed |`);
    continue;
  }
  const direct = await measure(client, []);
  const ours = await measure(client, client.doors ?? lab.proxies);
  const copies = ({ bytes }: Count): string => (bytes / client.bytes).toFixed(2);
  print(`| ${client.name} | ${direct.requests} | ${copies(direct)} | ${ours.requests} | ${copies(ours)} |`);
}

async function measure(client: Client, through: readonly string[]): Promise<Count> {
  const bring = await client.prepare();
  client.relay.take();
  const startedMs = performance.now();
  const runs = Array.from({ length: nodeCount }, async (_, node) => {
    const own = lab.directory.join(`run-${lab.nextNumber()}`);
    await mkdir(own, { recursive: true });
    const proxy = through[node] ?? '';
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: own, NO_PROXY: '', no_proxy: '' };
    for (const name of ['http_proxy', 'HTTP_PROXY']) env[name] = client.doors ? '' : proxy;
    const arrived = await bring({ directory: own, env, proxy });
    if (arrived && sha256Of(await readFile(arrived.path)) !== arrived.sha256)
      throw new Error(`${client.name}: wrong bytes`);
    await rm(own, { recursive: true, force: true });
  });
  await Promise.all(runs);
  if (values.verbose)
    print(`${((performance.now() - startedMs) / 1000).toFixed(2)} s\n${client.relay.lines.join('\n')}`);
  return client.relay.take();
}

function print(text: string): void {
  console.log(text);
}
