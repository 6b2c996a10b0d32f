/**
 * One whole daemon that downloads from nginx while 32 children fetch all of it: what it holds, what it costs and how long
 * its loop waits.
 *
 *   node bench/transport/in-and-out.ts [--gib 10] [--tasks 5] [--children 32] [--directory DIR]
 *
 * The content comes as some tasks, one after the other; each child asks for each piece as soon as it has landed, reads and
 * discards. Ends with 1 when the daemon held more than 256 MiB or its loop waited 20 ms or more at p99.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DownloadTaskRequest } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile } from '../../test/support/random-file.ts';
import { BenchSwarm } from './daemon-swarm.ts';
import { DiscardingChild } from './discarding-child.ts';
import { cpuSecondsOf, forgetPeak, peakRssBytes, sum } from './processes.ts';

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '10' },
    tasks: { type: 'string', default: '5' },
    children: { type: 'string', default: '32' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const bytes = Number(values.gib) * 2 ** 30;
const tasks = Number(values.tasks);
const deadlineMs = 900_000;
const most = { rssMib: 256, loopDelayMs: 20 };

await using cleanup = new AsyncDisposableStack();
const directory = mkdtempSync(join(values.directory, 'dragonfly-bench-'));
cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
mkdirSync(join(directory, 'origin'));
const origin = cleanup.use(await NginxOrigin.start({ directory: join(directory, 'origin') }));
await makeRandomFile(join(origin.root, 'content'), bytes / tasks);
const swarm = cleanup.use(await BenchSwarm.start({ directory }));
const daemon = await swarm.daemon('daemon');
const [host = '', port] = daemon.process.address('upload').split(':');
const children = Array.from({ length: Number(values.children) }, () => new DiscardingChild(host, Number(port)));
const rows: string[] = [];
const worst = { rssMib: 0, loopDelayMs: 0 };

await downloadAndOffer('warm'); // the compilers
await phase(`${values.gib} GiB in, and out to ${children.length}`, async () => {
  for (let task = 0; task < tasks; task += 1) await downloadAndOffer(task);
});
await phase('out alone, the rest', () => Promise.all(children.map((child) => child.finish())));
report();

/** Each piece goes to every child; whoever is behind has them waiting. */
async function downloadAndOffer(version: number | string): Promise<void> {
  const request = DownloadTaskRequest.fromPartial({ download: { url: `${origin.url}/content?v=${version}` } });
  const signal = AbortSignal.timeout(deadlineMs);
  for await (const { taskId, response } of daemon.client.downloadTask(request, { signal })) {
    if (response?.$case !== 'downloadPieceFinishedResponse') continue;
    const piece = response.value.piece?.number ?? 0;
    for (const child of children) child.want({ taskId, piece });
  }
}

async function phase(name: string, act: () => Promise<unknown>): Promise<void> {
  await daemon.metrics(); // loop delays are counted anew from here
  forgetPeak(daemon.pid);
  const before = { cpu: cpuSecondsOf(daemon.pid), sent: sent(), ms: performance.now() };
  await act();
  const seconds = (performance.now() - before.ms) / 1000;
  const gib = (sent() - before.sent) / 2 ** 30;
  const rssMib = peakRssBytes(daemon.pid) / 2 ** 20;
  const loopDelayMs = 1000 * ((await daemon.metrics()).get('nodejs_eventloop_lag_p99_seconds') ?? Number.NaN);
  worst.rssMib = Math.max(worst.rssMib, rssMib);
  worst.loopDelayMs = Math.max(worst.loopDelayMs, loopDelayMs);
  const cells = [seconds, gib, gib / seconds, (cpuSecondsOf(daemon.pid) - before.cpu) / seconds, rssMib, loopDelayMs];
  rows.push(`| ${name} | ${cells.map((cell) => cell.toFixed(1)).join(' | ')} |`);
}

function sent(): number {
  return sum(children.map(({ receivedBytes }) => receivedBytes));
}

function report(): void {
  console.log('| phase | s | GiB out | GiB/s out | processors used | peak RSS MiB | loop delay p99 ms |');
  console.log('| --- | --- | --- | --- | --- | --- | --- |');
  for (const row of rows) console.log(row);
  console.log(`\nchildren were told to come again ${sum(children.map(({ timesBusy }) => timesBusy))} times`);
  process.exitCode = worst.rssMib <= most.rssMib && worst.loopDelayMs < most.loopDelayMs ? 0 : 1;
}
