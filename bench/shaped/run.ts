/**
 * Real daemons on shaped links beside the simulator, in one run:
 *   node bench/shaped/run.ts --peers 20 --mib 200 --mb-per-sec 20 --rounds 2
 * Every host is a network namespace whose link carries that rate each way. The origin and the scheduler have a host of
 * their own without a limit, the seed peer and the peers one each. Prints R = time of the last peer ÷ fluid limit,
 * measured and simulated: by the links alone, and with what a calibration without limits says of the processors; where the processors have no rest, the machine is the limit and not the links. Needs root, `ip` and `tc`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { downloadOnNode } from '../../src/cli/up-download.ts';
import { ManagedProcess } from '../../src/cli/managed-process.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { simulate } from '../../src/simulator/simulation.ts';
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
let files = 0;
const contentBytes = Number(values.mib) * 2 ** 20;
const bytesPerSec = Number(values['mb-per-sec']) * 1e6;

await using network = await NamespaceNetwork.create({ hosts: peers + 2 });
await using directory = await temporaryDirectory('df-shaped-');
await using owned = new AsyncDisposableStack();
const [centre, seed, ...rest] = network.hosts as [NamespaceHost, NamespaceHost, ...NamespaceHost[]];

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
console.log(`${peers} peers, ${values.mib} MiB, ${values['mb-per-sec']} MB/s each way`);
// what it costs the processors to move a byte from host to host, measured by itself: no link holds it up
await measure('warm-up, unlimited links');
const { ownSecondsPerByte } = await measure('unlimited links');
for (const host of [seed, ...rest]) await network.limit(host, bytesPerSec * 8);
for (let round = 1; round <= Number(values.rounds); round += 1) await measure(`round ${round}`);
const link = { upBytesPerSec: bytesPerSec, downBytesPerSec: bytesPerSec };
const bed = {
  peers,
  contentBytes,
  arm: 'ours',
  seed: 1,
  peer: { ...link, loadLimit: 50 },
  seedPeer: { ...link, loadLimit: 50 },
} as const;
console.log(`simulated R ${simulate(bed).r.toFixed(3)}: the links alone`);
const processorsBytesPerSec = availableParallelism() / ownSecondsPerByte;
const mended = simulate({ ...bed, headShare, processorsBytesPerSec });
console.log(
  `simulated R ${mended.r.toFixed(3)}: and the heads of packets, and ${availableParallelism()} processors at ${(ownSecondsPerByte * 2 ** 30).toFixed(1)} s per GiB`,
);

/** One file to all at once. */
async function measure(about: string): Promise<{ ownSecondsPerByte: number }> {
  files += 1;
  const name = `file-${files}.bin`;
  const file = await makeRandomFile(join(directory.path, name), contentBytes);
  const signal = AbortSignal.timeout(600_000);
  const url = `${origin}/${name}`;
  const busyBefore = busySeconds();
  const ownBefore = ownSeconds();
  const results = await Promise.all(
    daemons.map((daemon) => downloadOnNode(daemon, { channels, url, signal, onProgress: () => undefined })),
  );
  const busy = busySeconds() - busyBefore;
  const own = ownSeconds() - ownBefore;
  const wrong = results.filter(({ sha256 }) => sha256 !== file.sha256).length;
  if (wrong > 0) process.exitCode = 1;
  const lastSeconds = Math.max(...results.map(({ costMs }) => costMs)) / 1000;
  const peersGave = results.flatMap(({ bytesFromNode }) => [...bytesFromNode]).filter(([id]) => !id.includes('-seed-'));
  const exchanged = peersGave.reduce((sum, [, bytes]) => sum + bytes, 0) / (peers * contentBytes);
  console.log(
    `${about}: measured R ${(lastSeconds / fluidSeconds).toFixed(3)}, ${lastSeconds.toFixed(1)} s of ${fluidSeconds.toFixed(1)} s; ` +
      `processors: daemons ${own.toFixed(1)} s, everything ${busy.toFixed(1)} s of ${(lastSeconds * availableParallelism()).toFixed(1)} s; ` +
      `${(exchanged * 100).toFixed(0)} % from other peers; ${wrong} wrong`,
  );
  return { ownSecondsPerByte: own / (peers * contentBytes) };
}

/** Of all processors of this machine, since its start. */
function busySeconds(): number {
  return cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) / 1000;
}

/** Of the daemons alone. */
function ownSeconds(): number {
  return daemons.reduce((sum, { process: { pid } }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
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
