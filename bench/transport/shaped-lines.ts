/**
 * How full two whole daemons keep a line, beside the piece transport alone and nginx → `curl -o` on the same line, in turns.
 *
 *   node bench/transport/shaped-lines.ts [--lines 1000/0,1000/1,1000/20,10000/1] [--children 1] [--mib 256] [--rounds 3] [--congestion reno]
 *
 * A line is Mbit/s and milliseconds of round trip. Parent, children and the scheduler with the origin are network namespaces; the rate is that
 * of the way out of the parent, and half of the delay lies there, half at the children. Needs root, `ip`, `tc` and nginx, and for
 * delays a kernel with netem.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { deliverOnNode } from '../../src/cli/up/download.ts';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { DfdaemonDownloadDefinition } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { NamespaceNetwork, type NamespaceHost } from '../../test/support/network-namespaces.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { cpuSecondsOf, median, sum } from './processes.ts';
import { StorePair, writeContent } from './store-pair.ts';

const { values } = parseArgs({
  options: {
    lines: { type: 'string', default: '1000/0' },
    children: { type: 'string', default: '1' },
    mib: { type: 'string', default: '256' },
    rounds: { type: 'string', default: '3' },
    congestion: { type: 'string' },
  },
});
const children = Number(values.children);
const bytes = Number(values.mib) * 2 ** 20;
/** What leaves in two milliseconds: with less in its bucket a fast line is never full. */
const bucketBytesPerMbit = 250;

interface Daemon {
  readonly name: string;
  readonly directory: string;
  readonly program: 'dfdaemon';
  readonly process: ManagedProcess;
  readonly seed: false;
  readonly socket: string;
}

interface Sample {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

await using network = await NamespaceNetwork.create({ hosts: children + 2 });
await using directory = await temporaryDirectory('df-lines-');
await using owned = new AsyncDisposableStack();
const [centre, giver, ...takers] = network.hosts as [NamespaceHost, NamespaceHost, ...NamespaceHost[]];
if (values.congestion !== undefined) {
  for (const { enter } of network.hosts)
    inside(enter, 'sysctl', '-qw', `net.ipv4.tcp_congestion_control=${values.congestion}`);
}
const www = directory.join('www');
mkdirSync(www);
const content = join(www, 'content');
writeContent(content, bytes);
const origin = await startNginx(centre);
const mirror = await startNginx(giver);
const channels = owned.use(new Channels());
const scheduler = await startScheduler();
const parent = await startDaemon(giver, 'parent');
const daemons = await Promise.all(takers.map(async (host, index) => await startDaemon(host, `child-${index + 1}`)));
const signal = (): AbortSignal => AbortSignal.timeout(600_000);
const options = () => ({ channels, url: `${origin}/content`, signal: signal(), onProgress: () => undefined });
await deliverOnNode(parent, options());
const [first] = takers;
const stores =
  children === 1 && first
    ? owned.use(
        await StorePair.start(directory.path, content, {
          bytes,
          tls: false,
          ends: { address: giver.address, enterParent: giver.enter, enterChild: first.enter },
        }),
      )
    : undefined;

const ways: Readonly<Record<string, () => Promise<Sample>>> = {
  daemons: ours,
  ...(stores && { transport: () => alone(stores) }),
  curl,
};
console.log(
  `${children} child(ren), ${values.mib} MiB each, ${values.rounds} rounds, ${values.congestion ?? readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim()}, medians\n`,
);
console.log('| line | way | share of the line | beside curl | beside the transport | CPU s/GiB, both ends |');
console.log('| --- | --- | --- | --- | --- | --- |');
for (const line of values.lines.split(',')) await measure(line);

async function measure(line: string): Promise<void> {
  const [mbit = 0, roundTripMs = 0] = line.split('/').map(Number);
  shape(giver, roundTripMs / 2, mbit);
  for (const host of takers) shape(host, roundTripMs / 2, undefined);
  const samples = new Map<string, Sample[]>();
  for (let round = 0; round <= Number(values.rounds); round += 1) {
    for (const name of round % 2 === 0 ? Object.keys(ways) : Object.keys(ways).toReversed()) {
      const sample = await ways[name]?.();
      if (sample && round > 0) samples.set(name, [...(samples.get(name) ?? []), sample]);
    }
  }
  for (const [name, list] of samples) {
    const beside = (other: string): string => {
      const theirs = samples.get(other);
      return theirs ? median(list.map(({ seconds }, round) => (theirs[round]?.seconds ?? 0) / seconds)).toFixed(2) : '';
    };
    const fluidSeconds = (bytes * (name === 'curl' ? children : 1) * 8) / (mbit * 1e6);
    const share = median(list.map(({ seconds }) => fluidSeconds / seconds)).toFixed(2);
    const cost = median(list.map(({ cpuSeconds }) => (cpuSeconds * 2 ** 30) / (bytes * children))).toFixed(2);
    console.log(`| ${line} | ${name} | ${share} | ${beside('curl')} | ${beside('transport')} | ${cost} |`);
  }
}

/** All children at once; until the last has its file. */
async function ours(): Promise<Sample> {
  const processes = [parent, ...daemons].map(({ process: { pid } }) => pid);
  const before = sum(processes.map(cpuSecondsOf));
  const startedMs = performance.now();
  const results = await Promise.all(daemons.map((daemon) => deliverOnNode(daemon, options())));
  const seconds = (performance.now() - startedMs) / 1000;
  const cpuSeconds = sum(processes.map(cpuSecondsOf)) - before;
  await Promise.all(
    results.map(async ({ taskId, outputPath }, index) => {
      const client = createClient(DfdaemonDownloadDefinition, channels, `unix:${daemons[index]?.socket}`);
      await client.deleteLocalTask({ taskId }, { signal: signal() });
      rmSync(outputPath);
    }),
  );
  return { seconds, cpuSeconds };
}

async function alone(pair: StorePair): Promise<Sample> {
  const { seconds, cpuSeconds } = await pair.transfer();
  return { seconds, cpuSeconds: sum(cpuSeconds) };
}

/** The processor time of nginx and curl is not counted. */
async function curl(): Promise<Sample> {
  const startedMs = performance.now();
  await Promise.all(
    takers.map(async ({ enter: [program = '', ...words] }, index) => {
      const output = directory.join(`curl-${index}`);
      const [code] = (await once(
        spawn(program, [...words, 'curl', '-sf', '-o', output, `${mirror}/content`], { stdio: 'inherit' }),
        'exit',
      )) as [number];
      if (code !== 0) throw new Error(`curl ended with ${code}`);
      rmSync(output);
    }),
  );
  return { seconds: (performance.now() - startedMs) / 1000, cpuSeconds: Number.NaN };
}

async function startNginx(host: NamespaceHost): Promise<string> {
  const config = directory.join(`nginx-${host.address}.conf`);
  writeFileSync(
    config,
    `daemon off; worker_processes 1; user root; pid ${config}.pid; error_log stderr crit; events { worker_connections 256; }
     http { sendfile on; tcp_nopush on; access_log off; etag on; server { listen ${host.address}:80; root ${www}; } }`,
  );
  const [program = '', ...words] = host.enter;
  const server = spawn(program, [...words, '/usr/sbin/nginx', '-c', config, '-p', directory.path], {
    stdio: 'inherit',
  });
  owned.defer(() => void server.kill());
  const url = `http://${host.address}`;
  for (let tries = 0; tries < 100; tries += 1) {
    try {
      inside(host.enter, 'curl', '-sfI', `${url}/content`);
      return url;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  throw new Error('nginx does not answer');
}

async function startScheduler(): Promise<string> {
  const server = { listenIP: centre.address, advertiseIP: centre.address, port: 0, cacheDir: directory.path };
  const process = await start(centre, 'scheduler', 'scheduler', { server, manager: { addr: '' } });
  return process.address('grpc');
}

async function startDaemon(host: NamespaceHost, name: string): Promise<Daemon> {
  const path = directory.join(name);
  const tcpListen = { port: 0, listen: host.address };
  const process = await start(host, name, 'dfdaemon', {
    workHome: path,
    dataDir: join(path, 'data'),
    cacheDir: join(path, 'cache'),
    host: { hostname: name, advertiseIP: host.address },
    scheduler: { netAddrs: [{ addr: scheduler }] },
    download: { peerGRPC: { tcpListen }, downloadGRPC: { unixListen: { socket: join(path, 'd.sock') } } },
    upload: { tcpListen },
    health: { tcpListen: { port: 0 } },
    proxy: { enable: false },
  });
  return { name, directory: path, program: 'dfdaemon', process, seed: false, socket: join(path, 'd.sock') };
}

async function start(host: NamespaceHost, name: string, program: 'scheduler' | 'dfdaemon', config: object) {
  const path = directory.join(name);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  writeFileSync(join(path, 'config.yaml'), JSON.stringify(config));
  const args = ['--config', join(path, 'config.yaml')];
  const { enter } = host;
  return owned.use(await ManagedProcess.start({ name, program, args, cwd: path, enter, readyDeadlineMs: 120_000 }));
}

/** What leaves the host. A bucket where there is no delay: netem is not in every kernel. */
function shape({ namespace, device }: NamespaceHost, delayMs: number, mbit: number | undefined): void {
  const change = (...words: string[]): void =>
    void execFileSync('tc', ['-n', namespace, 'qdisc', 'replace', 'dev', device, 'root', ...words]);
  if (delayMs > 0) {
    const rate = mbit === undefined ? [] : ['rate', `${mbit}mbit`];
    change('netem', 'delay', `${delayMs}ms`, ...rate, 'limit', '100000');
  } else if (mbit !== undefined) {
    const burstBytes = Math.max(256 * 1024, mbit * bucketBytesPerMbit);
    change('tbf', 'rate', `${mbit}mbit`, 'burst', String(burstBytes), 'latency', '50ms');
  } else change('pfifo');
}

function inside([program = '', ...words]: readonly string[], ...command: string[]): void {
  execFileSync(program, [...words, ...command], { stdio: 'ignore' });
}
