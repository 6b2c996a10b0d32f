/**
 * Real daemons on shaped links beside the simulator, in one run:
 *   node bench/shaped/run.ts --peers 20 --mib 200 --mb-per-sec 20 --rounds 2
 * Every host is a network namespace whose link carries that rate each way. The origin and the scheduler have a host of
 * their own without a limit, the seed peer and the peers one each. Prints R = time of the last peer ÷ fluid limit,
 * measured and simulated. One machine plays all hosts, so that its processors are a link that everybody shares: what a
 * byte costs them, and how long a message waits behind pieces, is measured in a round that counts for nothing else, after one that
 * warms everything up. Needs root, `ip` and `tc`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { deliverOnNode, digestOfFile } from '../../src/cli/up/download.ts';
import { ManagedProcess } from '../../src/cli/up/managed-process.ts';
import { Channels } from '../../src/rpc/channels.ts';
import type { SimulationOptions } from '../../src/simulator/options.ts';
import { simulate } from '../../src/simulator/simulation.ts';
import { probeDelay } from './delay-probe.ts';
import { NamespaceNetwork, type NamespaceHost } from '../../test/support/network-namespaces.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';

const { values } = parseArgs({
  options: {
    peers: { type: 'string', default: '20' },
    mib: { type: 'string', default: '200' },
    'mb-per-sec': { type: 'string', default: '20' },
    rounds: { type: 'string', default: '2' },
  },
});
const peers = Number(values.peers);
/** A packet of 1,514 bytes on the line carries 1,448 of content. */
const headShare = 1514 / 1448 - 1;
const ticksPerSec = 100;
let files = 0;
const contentBytes = Number(values.mib) * 2 ** 20;
const bytesPerSec = Number(values['mb-per-sec']) * 1e6;

await using network = await NamespaceNetwork.create({ hosts: peers + 2 });
await using directory = await temporaryDirectory('df-shaped-');
await using owned = new AsyncDisposableStack();
for (const host of network.hosts) useCubic(host);
const [centre, seed, ...rest] = network.hosts as [NamespaceHost, NamespaceHost, ...NamespaceHost[]];
/** Between these hosts it is measured how long a message takes: from the seed peer, and among peers. */
const probed = [seed, ...rest].slice(0, 6).flatMap((from, index) => {
  const to = rest[index];
  return index % 2 === 0 && to ? [{ from, to }] : [];
});

async function start(host: NamespaceHost, name: string, program: 'scheduler' | 'dfdaemon', config: object) {
  const path = join(directory.path, name);
  mkdirSync(path, { mode: 0o700 });
  await writeFile(join(path, 'config.yaml'), JSON.stringify(config));
  const args = ['--config', join(path, 'config.yaml')];
  const service = await ManagedProcess.start({
    name,
    program,
    args,
    cwd: path,
    enter: host.enter,
    readyDeadlineMs: 120_000,
  });
  return owned.use(service);
}

function daemonConfig(host: NamespaceHost, name: string, scheduler: string) {
  const path = join(directory.path, name);
  const tcpListen = { port: 0, listen: host.address };
  return {
    workHome: path,
    dataDir: join(path, 'data'),
    cacheDir: join(path, 'cache'),
    host: { hostname: name, advertiseIP: host.address },
    scheduler: { netAddrs: [{ addr: scheduler }], manager: { seedPeer: { enable: name === 'seed' } } },
    download: { peerGRPC: { tcpListen }, downloadGRPC: { unixListen: { socket: join(path, 'd.sock') } } },
    upload: { tcpListen },
    health: { tcpListen: { port: 0 } },
    proxy: { enable: false },
  };
}

const server = { listenIP: centre.address, advertiseIP: centre.address, port: 0, cacheDir: directory.path };
const scheduler = await start(centre, 'scheduler', 'scheduler', { server, manager: { addr: '' } });
const schedulerAddress = scheduler.address('grpc');
await start(seed, 'seed', 'dfdaemon', daemonConfig(seed, 'seed', schedulerAddress));
const daemons = await Promise.all(
  rest.map(async (host, index) => {
    const name = `peer-${index + 1}`;
    const process = await start(host, name, 'dfdaemon', daemonConfig(host, name, schedulerAddress));
    const path = join(directory.path, name);
    return { name, directory: path, program: 'dfdaemon' as const, process, seed: false, socket: join(path, 'd.sock') };
  }),
);
const origin = await startOrigin(centre, directory.path);
await using channels = new Channels();
const fluidSeconds = Math.max(contentBytes, (peers * contentBytes) / (1 + peers)) / bytesPerSec;
const processors = availableParallelism();
console.log(
  `${peers} peers, ${values.mib} MiB, ${values['mb-per-sec']} MB/s each way: ${fluidSeconds.toFixed(1)} s at best`,
);
for (const host of [seed, ...rest]) await network.limit(host, bytesPerSec * 8);
await measure('warm-up');
const calibration = await measure('calibration');
const rounds: number[] = [];
for (let round = 1; round <= Number(values.rounds); round += 1) rounds.push((await measure(`round ${round}`)).r);
const measuredR = mean(rounds);
console.log(`measured R ${measuredR.toFixed(3)}`);
const { secondsPerByte, latencyMs } = calibration;
const processorsBytesPerSec = processors / secondsPerByte;
report('the links alone', {});
report('and the heads of packets', { headShare });
report(`and ${processors} processors at ${(secondsPerByte * 2 ** 30).toFixed(1)} s per GiB`, {
  headShare,
  processorsBytesPerSec,
});
report(`and ${latencyMs.toFixed(1)} ms for a message`, { headShare, processorsBytesPerSec, latencyMs });

function report(about: string, more: Partial<SimulationOptions>): void {
  const r = mean([1, 2, 3].map((randomSeed) => simulatedR(randomSeed, more)));
  console.log(`simulated R ${r.toFixed(3)}, measured is ${((measuredR / r - 1) * 100).toFixed(0)} % above: ${about}`);
}

function simulatedR(randomSeed: number, more: Partial<SimulationOptions>): number {
  const hostClass = { upBytesPerSec: bytesPerSec, downBytesPerSec: bytesPerSec, loadLimit: 50 };
  const bed = { peers, contentBytes, arm: 'ours', peer: hostClass, seedPeer: hostClass } as const;
  return simulate({ ...bed, ...more, seed: randomSeed }).r;
}

/** One file to all at once; read back only when everybody has it. */
async function measure(about: string): Promise<{ r: number; secondsPerByte: number; latencyMs: number }> {
  files += 1;
  const name = `file-${files}.bin`;
  const file = await makeRandomFile(join(directory.path, name), contentBytes);
  const options = {
    channels,
    url: `${origin}/${name}`,
    signal: AbortSignal.timeout(600_000),
    onProgress: () => undefined,
  };
  const probes = await Promise.all(probed.map(async ({ from, to }) => await probeDelay(from, to)));
  const busyBefore = busySeconds();
  const ownBefore = ownSeconds();
  const results = await Promise.all(daemons.map((daemon) => deliverOnNode(daemon, options)));
  const busy = busySeconds() - busyBefore;
  const own = ownSeconds() - ownBefore;
  const latencyMs = mean(await Promise.all(probes.map(async (stop) => await stop())));
  let wrong = 0;
  for (const { outputPath } of results) if ((await digestOfFile(outputPath)).sha256 !== file.sha256) wrong += 1;
  if (wrong > 0) process.exitCode = 1;
  const lastSeconds = Math.max(...results.map(({ costMs }) => costMs)) / 1000;
  const peersGave = results.flatMap(({ bytesFromNode }) => [...bytesFromNode]).filter(([id]) => !id.includes('-seed-'));
  const exchanged = peersGave.reduce((sum, [, bytes]) => sum + bytes, 0) / (peers * contentBytes);
  console.log(
    `${about}: R ${(lastSeconds / fluidSeconds).toFixed(3)}, ${lastSeconds.toFixed(1)} s; ` +
      `processors: the peers ${own.toFixed(1)} s, everything ${busy.toFixed(1)} s of ${(lastSeconds * processors).toFixed(1)} s; ` +
      `a message ${latencyMs.toFixed(1)} ms; ${(exchanged * 100).toFixed(0)} % from other peers; ${wrong} wrong`,
  );
  return { r: lastSeconds / fluidSeconds, secondsPerByte: busy / (peers * contentBytes), latencyMs };
}

function mean(list: readonly number[]): number {
  return list.reduce((sum, one) => sum + one, 0) / list.length;
}

/** Of all processors of this machine, since its start. */
function busySeconds(): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = procFields('stat', /^cpu +(.*)/);
  return (user + nice + system + irq + softirq) / ticksPerSec;
}

/** Of the peers' daemons alone. */
function ownSeconds(): number {
  return daemons.reduce((sum, { process: { pid } }) => {
    const [user = 0, system = 0] = procFields(`${pid}/stat`, /\) (.*)/).slice(11);
    return sum + (user + system) / ticksPerSec;
  }, 0);
}

function procFields(file: string, line: RegExp): number[] {
  return (line.exec(readFileSync(`/proc/${file}`, 'latin1'))?.[1] ?? '').split(' ').map(Number);
}

/** What most machines use; others keep a token bucket partly idle, as they take its bursts for the line. */
function useCubic({ enter: [program = '', ...words] }: NamespaceHost): void {
  execFileSync(program, [...words, 'sysctl', '-qw', 'net.ipv4.tcp_congestion_control=cubic']);
}

/** A web server in the namespace of the host; its address is printed by the child. */
async function startOrigin(host: NamespaceHost, root: string): Promise<string> {
  const code = `
    const { createServer } = require('node:http'), { createReadStream, statSync } = require('node:fs');
    const server = createServer((request, response) => {
      const path = ${JSON.stringify(root)} + request.url;
      response.writeHead(200, { 'content-length': statSync(path).size, etag: '"1"' });
      createReadStream(path, { highWaterMark: 1 << 20 }).pipe(response);
    }).listen(0, ${JSON.stringify(host.address)}, () => console.log(server.address().port));
    process.stdin.on('close', () => process.exit()).resume();`;
  const child = spawn('ip', [...host.enter.slice(1), process.execPath, '-e', code], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  owned.defer(() => void child.kill());
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return `http://${host.address}:${line.toString().trim()}`;
}
