/** The same bytes three ways, in turns: the transport alone, two whole daemons, nginx → `curl -o`; and what memory the daemons took. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { sha256OfFile } from '../../test/support/random-file.ts';
import { BenchSwarm } from '../transport/daemon-swarm.ts';
import { makeCertificate, NginxPair, type Transfer } from '../transport/nginx-pair.ts';
import { cpuSecondsOf, median, peakRssBytes, sum } from '../transport/processes.ts';
import { StorePair, writeContent } from '../transport/store-pair.ts';

type Contender = 'transport' | 'daemons' | 'nginx';
type Round = Readonly<Record<Contender, Transfer>>;

const order: readonly Contender[] = ['transport', 'daemons', 'nginx'];

/** `directory` is empty. Ratios within a round, medians; the first round, which warms caches and compilers, is left out. */
export async function measureBytes(
  directory: string,
  { bytes, rounds, tls }: { bytes: number; rounds: number; tls: boolean },
): Promise<Map<string, number>> {
  await using owned = new AsyncDisposableStack();
  mkdirSync(join(directory, 'origin'));
  if (tls) makeCertificate(directory);
  const origin = owned.use(await NginxOrigin.start({ directory: join(directory, 'origin') }));
  const content = join(origin.root, 'content');
  writeContent(content, bytes);
  const sha256 = await sha256OfFile(content);
  const stores = owned.use(await StorePair.start(directory, content, { bytes, tls }));
  const nginx = owned.use(await NginxPair.start(directory, origin.root, tls));
  const swarm = owned.use(await BenchSwarm.start({ directory, tls }));
  const [parent, child] = [await swarm.daemon('parent'), await swarm.daemon('child')];
  await parent.download(`${origin.url}/content`);
  const output = join(directory, 'output');
  let checked = false;

  async function daemons(): Promise<Transfer> {
    const before = [cpuSecondsOf(parent.pid), cpuSecondsOf(child.pid)] as const;
    const { taskId, receipt, seconds } = await child.download(`${origin.url}/content`, output);
    const cpuSeconds = [cpuSecondsOf(parent.pid) - before[0], cpuSecondsOf(child.pid) - before[1]] as const;
    if (receipt.bytesFromOrigin > 0) throw new Error(`${receipt.bytesFromOrigin} bytes came from the origin`);
    if (!checked && (await sha256OfFile(output)) !== sha256) throw new Error('the output is not the content');
    checked = true;
    await child.remove(taskId);
    rmSync(output);
    return { seconds, cpuSeconds };
  }

  const ways: Record<Contender, () => Promise<Transfer>> = {
    transport: () => stores.transfer(),
    daemons,
    nginx: () => nginx.transfer('content'),
  };
  const results: Round[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const times: Partial<Record<Contender, Transfer>> = {};
    for (const name of round % 2 === 0 ? order : order.toReversed()) times[name] = await ways[name]();
    if (round > 0) results.push(times as Round);
  }
  const over = (ratio: (round: Round) => number): number => median(results.map(ratio));
  const suffix = tls ? ', TLS' : '';
  return new Map([
    [
      `pair beside the transport alone${suffix}`,
      over(({ daemons: pair, transport }) => transport.seconds / pair.seconds),
    ],
    [`pair beside nginx → curl${suffix}`, over(({ daemons: pair, nginx: curl }) => curl.seconds / pair.seconds)],
    [
      `processor time of the pair beside nginx → curl${suffix}`,
      over(({ daemons: pair, nginx: curl }) => sum(curl.cpuSeconds) / sum(pair.cpuSeconds)),
    ],
    [
      `memory of a bare Node beside the daemons' peak${suffix}`,
      bareBytes() / Math.max(peakRssBytes(parent.pid), peakRssBytes(child.pid)),
    ],
  ]);
}

/** Of a process that does nothing. */
function bareBytes(): number {
  const script = 'process.stdout.write(String(process.memoryUsage.rss()))';
  return Number(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' }));
}
