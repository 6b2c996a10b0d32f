/**
 * What a part that hangs costs: real processes, one of which is stopped (SIGSTOP) once the download is well under way.
 *   node bench/trouble/hung-parts.ts [--mib 128] [--mib-per-sec 32] [--parts none,seed,parent,scheduler]
 * An origin of that speed, a seed and three peers that ask at the same moment. Prints when the last peer that is well had
 * the content, and how many copies the origin sent.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { NginxOrigin } from '../../test/support/nginx-origin.ts';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { BenchSwarm, type BenchDaemon } from '../transport/daemon-swarm.ts';

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '128' },
    'mib-per-sec': { type: 'string', default: '32' },
    parts: { type: 'string', default: 'none,seed,parent,scheduler' },
    /** Of the time that the origin needs. */
    at: { type: 'string', default: '0.5' },
  },
});
const bytes = Number(values.mib) * 2 ** 20;
const bytesPerSec = Number(values['mib-per-sec']) * 2 ** 20;

console.log('| hangs | s | more than without | origin copies |');
console.log('| --- | --- | --- | --- |');
let without: number | undefined;
for (const part of values.parts.split(',')) {
  const { seconds, copies } = await downloadWith(part);
  without ??= seconds;
  console.log(`| ${part} | ${seconds.toFixed(2)} | ${(seconds - without).toFixed(2)} | ${copies.toFixed(2)} |`);
}

async function downloadWith(part: string): Promise<{ seconds: number; copies: number }> {
  await using directory = await temporaryDirectory('df-hung-');
  mkdirSync(join(directory.path, 'origin'));
  await using origin = await NginxOrigin.start({
    directory: join(directory.path, 'origin'),
    rateBytesPerSec: bytesPerSec,
  });
  const { sha256 } = await makeRandomFile(join(origin.root, 'content'), bytes);
  await using swarm = await BenchSwarm.start({ directory: directory.path });
  const seed = await swarm.daemon('seed', { scheduler: { seedPeer: { enable: true } } });
  const peers: BenchDaemon[] = [];
  for (const name of ['a', 'b', 'c']) peers.push(await swarm.daemon(name));
  const pids: Record<string, number | undefined> = {
    seed: seed.pid,
    parent: peers[2]?.pid,
    scheduler: swarm.schedulerPid,
  };
  const pid = pids[part];
  const timer = setTimeout(
    () => pid !== undefined && process.kill(pid, 'SIGSTOP'),
    (Number(values.at) * 1000 * bytes) / bytesPerSec,
  );
  const well = part === 'parent' ? peers.slice(0, 2) : peers;
  const startedMs = performance.now();
  try {
    const outputs = peers.map(async (peer) => {
      const output = join(directory.path, `${peer.name}.out`);
      await peer.download(`${origin.url}/content`, output, AbortSignal.timeout(120_000));
      return output;
    });
    for (const output of outputs) output.catch(() => undefined);
    const done = await Promise.all(outputs.slice(0, well.length));
    const seconds = (performance.now() - startedMs) / 1000;
    for (const output of done)
      if ((await sha256OfFile(output)) !== sha256) throw new Error(`${output} is not the content`);
    return { seconds, copies: (await origin.bytesSent('/content')) / bytes };
  } finally {
    clearTimeout(timer);
    if (pid !== undefined) process.kill(pid, 'SIGCONT');
  }
}
