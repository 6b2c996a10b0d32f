/**
 * Kills a whole daemon at many random instants while it downloads, by way of a seed and from the origin.
 *
 *   node bench/transport/daemon-crash-soak.ts [LIVES=200] [SEED]
 *
 * After each kill the daemon starts again on what it left. It must still hold every piece it had announced and every task
 * it had finished, verified by itself; each download goes on from there to its end, and every output is compared.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { DownloadTaskRequest, type Receipt } from '../../gen/dfdaemon/v2/dfdaemon.ts';
import { seededRandom } from '../../src/swarm/shared/random.ts';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile, type RandomFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { BenchSwarm, type BenchDaemon } from './daemon-swarm.ts';
import { sum } from './processes.ts';

const lives = Number(process.argv[2] ?? 200);
const seedNumber = Number(process.argv[3] ?? Math.floor(Math.random() * 1e6));
const sizes = [20_000, 5 * 2 ** 20 + 7, 40 * 2 ** 20];
/** About as long as the largest takes. */
const longestLifeMs = 1000;
const deadlineMs = 120_000;
/** Finished tasks that lie still while others are written and the daemon dies. */
const keptTasks = 6;
/** The origin is asked by the peer itself, or through the seed. */
const priorities = [3, 6] as const;

interface Job {
  readonly url: string;
  readonly content: RandomFile;
  readonly priority: 3 | 6;
  readonly output: string;
  taskId: string;
  /** Length of each piece that the daemon has announced. */
  readonly announced: Map<number, number>;
  receipt: Receipt | undefined;
}

const random = seededRandom(seedNumber);
await using cleanup = new AsyncDisposableStack();
const directory = cleanup.use(await temporaryDirectory('dragonfly-kill-'));
const origin = cleanup.use(await NginxOrigin.start({ directory: directory.path, rateBytesPerSec: 40 * 2 ** 20 }));
const contents = await Promise.all(
  sizes.map((bytes, index) => makeRandomFile(join(origin.root, `content-${index}`), bytes)),
);
const swarm = cleanup.use(await BenchSwarm.start({ directory: directory.path }));
const small = { gcInterval: '5s', storage: { diskGCThreshold: '512Mi' } };
await swarm.daemon('seed', { ...small, scheduler: { manager: { seedPeer: { enable: true } } } });
mkdirSync(directory.join('out'));

let daemon = await swarm.daemon('peer');
let kept: Job[] = [];
const totals = { announcedPieces: 0, finishedTasks: 0, cutOff: 0, keptBytes: 0 };
for (let life = 0; life < lives; life += 1) {
  const jobs = contents.map((content, index) => newJob(life, index, content));
  const ends = jobs.map((job) => download(daemon, job));
  const over = Promise.allSettled(ends);
  await delay(random() * longestLifeMs);
  daemon.process.kill('SIGKILL');
  await daemon.process.exited;
  await over;
  totals.finishedTasks += jobs.filter(({ receipt }) => receipt).length;
  totals.cutOff += jobs.filter(({ receipt }) => !receipt).length;
  daemon = await swarm.daemon('peer');
  try {
    for (const job of [...kept, ...jobs]) await check(job);
  } catch (error) {
    throw new Error(`life ${life} of seed ${seedNumber} ended wrong`, { cause: error });
  }
  const all = [...kept, ...jobs];
  kept = all.slice(-keptTasks);
  for (const { taskId } of all.slice(0, -keptTasks)) await daemon.remove(taskId);
  if ((life + 1) % 20 === 0) console.log(`${life + 1} of ${lives}`);
}
console.log(
  `seed ${seedNumber}: ${lives} of ${lives} kills right; ${totals.cutOff} downloads cut off and ${totals.finishedTasks} finished before, ` +
    `${totals.announcedPieces} announced pieces kept, ${Math.round(totals.keptBytes / 2 ** 20)} MiB not fetched again`,
);

function newJob(life: number, index: number, content: RandomFile): Job {
  return {
    url: `${origin.url}/content-${index}?life=${life}`,
    content,
    priority: priorities[Math.floor(random() * priorities.length)] ?? 6,
    output: directory.join('out', `${index}`),
    taskId: '',
    announced: new Map(),
    receipt: undefined,
  };
}

/** Notes what the daemon says until it ends, or is ended. */
async function download({ client }: BenchDaemon, job: Job): Promise<void> {
  const { url, priority } = job;
  const request = DownloadTaskRequest.fromPartial({ download: { url, priority } });
  for await (const { taskId, response } of client.downloadTask(request, { signal: AbortSignal.timeout(deadlineMs) })) {
    job.taskId = taskId;
    if (response?.$case === 'receipt') job.receipt = response.value;
    const piece = response?.$case === 'downloadPieceFinishedResponse' ? response.value.piece : undefined;
    if (piece) job.announced.set(piece.number, piece.length);
  }
}

async function check(job: Job): Promise<void> {
  const { url, output, announced, receipt: before, content } = job;
  if (job.taskId !== '' && announced.size > 0) {
    const signal = AbortSignal.timeout(deadlineMs);
    const { pieceCount, badPieces } = await daemon.local.verifyLocalTask({ taskId: job.taskId }, { signal });
    if (badPieces.length > 0) throw new Error(`${url}: pieces ${badPieces.join(', ')} are bad`);
    if (pieceCount < announced.size) throw new Error(`${url}: ${pieceCount} pieces of ${announced.size} announced`);
  }
  const { taskId, receipt } = await daemon.download(url, output, AbortSignal.timeout(deadlineMs));
  job.taskId = taskId;
  if ((await sha256OfFile(output)) !== content.sha256) throw new Error(`${url}: not the content`);
  const owed = before ? content.sizeBytes : sum([...announced.values()]);
  if (receipt.bytesLocal < owed) throw new Error(`${url}: ${receipt.bytesLocal} bytes were kept of ${owed}`);
  totals.announcedPieces += announced.size;
  totals.keptBytes += receipt.bytesLocal;
  job.receipt = receipt;
}
