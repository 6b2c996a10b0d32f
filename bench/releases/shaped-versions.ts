/**
 * A second version of a directory to real daemons on shaped links: each host is a network namespace whose link carries the rate each way.
 * The first version comes without a limit. Subscribers wait for the second one, which is published on the first host. Printed is how
 * long it takes until the last host has it, from the start of the publication and from the moment the version counts, beside the time in
 * which its changed bytes come out of the publisher's link. Needs root, `ip` and `tc`.
 *
 *   node bench/releases/shaped-versions.ts [--peers 20] [--size 2GiB] [--share 3] [--mb-per-sec 5]
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { stringify } from 'yaml';
import { runPublish } from '../../src/cli/publish/publish.ts';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { formatBytes, parseBytes } from '../../src/core/units.ts';
import { runTool } from '../../test/cli/tool-io.ts';
import { change, mib, requireSame } from '../../test/releases/release-lab.ts';
import { NamespaceNetwork, narrowBucket, type NamespaceHost } from '../../test/support/network-namespaces.ts';
import { productCommand } from '../../test/support/product.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '20' },
    size: { type: 'string', default: '2GiB' },
    share: { type: 'string', default: '3' },
    'mb-per-sec': { type: 'string', default: '5' },
  },
});
const [peers, size, share] = [Number(values.peers), parseBytes(values.size), Number(values.share) / 100];
const bytesPerSec = Number(values['mb-per-sec']) * 1e6;
const files = 8;
const runBytes = 2 * mib;
const runs = Math.max(1, Math.round((size * share) / runBytes));
const perFile = Math.ceil(runs / files);

await using network = await NamespaceNetwork.create({ hosts: peers + 1 });
await using directory = await temporaryDirectory('df-shaped-releases-');
await using owned = new AsyncDisposableStack();
const [centre, ...hosts] = network.hosts as [NamespaceHost, ...NamespaceHost[]];

const database = { type: 'sqlite', sqlite: { path: directory.join('manager.db') } };
const listen = { advertiseIP: centre.address, listenIP: centre.address };
const manager = await start(centre, 'manager', 'manager', {
  server: { grpc: { ...listen, port: { start: 0, end: 0 } }, rest: { addr: `${centre.address}:0` } },
  database,
});
const managerAddress = manager.address('grpc');
await start(centre, 'scheduler', 'scheduler', {
  server: { ...listen, port: 0, cacheDir: directory.path },
  manager: { addr: managerAddress, schedulerClusterID: 1, keepAlive: { interval: '2s' } },
});
const sockets = await Promise.all(hosts.map((host, index) => startDaemon(host, `peer-${index + 1}`)));
const [publisher = '', ...others] = sockets;

const model = directory.join('model');
await mkdir(model);
const fileBytes = Math.floor(size / files);
for (let file = 0; file < files; file += 1)
  await makeRandomFile(join(model, `${file}.safetensors`), fileBytes, `file ${file}`);
console.log(`${formatBytes(size)} to ${others.length} hosts, then ${formatBytes(runs * runBytes)} of it changed`);

const followers = others.map((socket, index) => follow(hosts[index + 1] as NamespaceHost, socket, index));
await spread('v1');
for (const host of hosts) await network.limit(host, bytesPerSec * 8, narrowBucket);
for (let run = 0; run < runs; run += 1) {
  const position = Math.floor(((Math.floor(run / files) + 0.5) * fileBytes) / perFile);
  await change(join(model, `${run % files}.safetensors`), position, runBytes, `run ${run}`);
}
const before = others.map((_, index) => received(hosts[index + 1] as NamespaceHost));
const { whole, published } = await spread('v2');
const fluid = (runs * runBytes) / bytesPerSec;
const came = await Promise.all(
  others.map(async (_, index) => (await received(hosts[index + 1] as NamespaceHost)) - (await (before[index] ?? 0))),
);
const most = Math.max(...came);
console.log(
  `the last host ${whole.toFixed(1)} s after the publication began, ${(whole - published).toFixed(1)} s after the version counted; ` +
    `${fluid.toFixed(1)} s at best: ${(whole / fluid).toFixed(2)} and ${((whole - published) / fluid).toFixed(2)} times; ` +
    `each host's link carried at most ${(most / (runs * runBytes)).toFixed(3)} × what had changed; load ${loadavg()[0]?.toFixed(1)}`,
);
for (const { path } of followers) await requireSame(model, `${path}/`);

async function spread(version: string): Promise<{ readonly whole: number; readonly published: number }> {
  const startMs = performance.now();
  const last = Promise.all(followers.map(({ has }) => has(version)));
  const { error, stdout } = await runTool(runPublish, [model, `model@${version}`, '-e', publisher], {
    env: { TMPDIR: directory.path },
  });
  if (error) throw error;
  const published = (performance.now() - startMs) / 1000;
  console.log(`${version} counts after ${published.toFixed(1)} s`);
  await last;
  const whole = (performance.now() - startMs) / 1000;
  console.log(
    `${version}: published in ${published.toFixed(1)} s (${stdout.toString().trim()}), everywhere in ${whole.toFixed(1)} s`,
  );
  return { whole, published };
}

interface Follower {
  readonly path: string;
  /** Resolves when it has the version. */
  readonly has: (version: string) => Promise<void>;
}

/** A process of its own on the host, for as long as this runs. */
function follow(host: NamespaceHost, socket: string, index: number): Follower {
  const path = directory.join(`subscribed-${index}`);
  const [program, ...words] = productCommand('dragonfly');
  const command = [...host.enter.slice(1), program, ...words, 'subscribe', 'model', '--to', path, '-e', socket];
  const child = spawn('ip', command, { stdio: ['ignore', 'pipe', 'inherit'] });
  owned.defer(async () => {
    if (child.exitCode !== null) return;
    child.kill();
    await once(child, 'exit');
  });
  const waiting = new Map<string, () => void>();
  const seen = new Set<string>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const version = /^Done: model@(\S+)$/.exec(line)?.[1];
    if (version === undefined) return;
    seen.add(version);
    waiting.get(version)?.();
  });
  const has = async (version: string): Promise<void> => {
    if (!seen.has(version)) await new Promise<void>((resolve) => waiting.set(version, resolve));
  };
  return { path, has };
}

/** Bytes that came over the link of a host. */
async function received({ namespace, device }: NamespaceHost): Promise<number> {
  const child = spawn('ip', ['netns', 'exec', namespace, 'cat', `/sys/class/net/${device}/statistics/rx_bytes`]);
  const [text] = (await once(child.stdout, 'data')) as [Buffer];
  return Number(text.toString());
}

async function startDaemon(host: NamespaceHost, name: string): Promise<string> {
  const socket = directory.join(name, 'd.sock');
  const tcpListen = { port: 0, listen: host.address };
  await start(host, name, 'dfdaemon', {
    workHome: directory.join(name),
    dataDir: directory.join(name, 'data'),
    cacheDir: directory.join(name, 'cache'),
    host: { hostname: name, advertiseIP: host.address },
    scheduler: { manager: { enable: true, netAddrs: [{ type: 'tcp', addr: managerAddress }], refreshInterval: '2s' } },
    download: { peerGRPC: { tcpListen }, downloadGRPC: { unixListen: { socket } } },
    upload: { tcpListen },
    console: true,
    health: { tcpListen: { port: 0 } },
    proxy: { enable: false },
  });
  await stat(socket);
  return socket;
}

async function start(
  host: NamespaceHost,
  name: string,
  program: 'manager' | 'scheduler' | 'dfdaemon',
  config: object,
): Promise<ManagedProcess> {
  const path = directory.join(name);
  mkdirSync(path, { mode: 0o700, recursive: true });
  await writeFile(join(path, 'config.yaml'), stringify(config));
  const args = ['--config', join(path, 'config.yaml')];
  const env = { DRAGONFLY_INITIAL_ROOT_PASSWORD: 'correct horse' };
  return owned.use(
    await ManagedProcess.start({
      name,
      program,
      args,
      cwd: path,
      env,
      enter: host.enter,
      logPath: join(path, 'log'),
      readyDeadlineMs: 120_000,
    }),
  );
}
