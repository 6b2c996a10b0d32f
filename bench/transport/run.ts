/**
 * Throughput and cost of the piece transport, store to store, beside nginx (sendfile) → `curl -o`, alternating in one run.
 *
 *   node bench/transport/run.ts [--gib 4] [--rounds 5] [--tls] [--directory DIR]
 *
 * Both pairs read a file from the page cache and write a new one. CPU is user + system of both ends over the transfer.
 * Run it in a network namespace with the congestion control of the machines in mind; bbr over loopback costs a quarter.
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeCertificate, NginxPair, type Transfer } from './nginx-pair.ts';
import { median, sum } from './processes.ts';
import { StorePair, writeContent, type StoreTransfer } from './store-pair.ts';

const { values } = parseArgs({
  options: {
    gib: { type: 'string', default: '4' },
    rounds: { type: 'string', default: '5' },
    tls: { type: 'boolean', default: false },
    directory: { type: 'string', default: tmpdir() },
  },
});
const gib = Number(values.gib);
const bytes = gib * 2 ** 30;

await using cleanup = new AsyncDisposableStack();
const directory = mkdtempSync(join(values.directory, 'dragonfly-bench-'));
cleanup.defer(() => rmSync(directory, { recursive: true, force: true }));
const www = join(directory, 'www');
mkdirSync(www);
const content = join(www, 'content');
writeContent(content, bytes);
if (values.tls) makeCertificate(directory);
const pair = cleanup.use(await StorePair.start(directory, content, { bytes, tls: values.tls }));
const nginx = cleanup.use(await NginxPair.start(directory, www, values.tls));
const results: { ours: StoreTransfer; theirs: Transfer }[] = [];
for (let round = 0; round <= Number(values.rounds); round += 1) {
  const ours = await pair.transfer();
  const theirs = await nginx.transfer('content');
  if (round === 0) continue; // warms the page cache and the compilers
  results.push({ ours, theirs });
  process.stderr.write(
    `round ${round}: ours ${(gib / ours.seconds).toFixed(2)} GiB/s, nginx → curl ${(gib / theirs.seconds).toFixed(2)} GiB/s\n`,
  );
}
report(results);

function report(rounds: readonly { ours: StoreTransfer; theirs: Transfer }[]): void {
  const rate = (sample: Transfer): number => gib / sample.seconds;
  const cost = (sample: Transfer): number => sum(sample.cpuSeconds) / gib;
  const ends = (samples: readonly Transfer[]): string =>
    [0, 1].map((end) => median(samples.map((sample) => (sample.cpuSeconds[end] ?? 0) / gib)).toFixed(2)).join(' + ');
  const ours = rounds.map((round) => round.ours);
  const theirs = rounds.map((round) => round.theirs);
  console.log(`\n${gib} GiB, ${rounds.length} rounds, ${values.tls ? 'TLS' : 'plain'}, medians (paired ratios)\n`);
  console.log(
    '| pair | GiB/s | CPU s/GiB (sender + receiver) | max RSS MiB (parent, child) | loop delay p99 ms (parent, child) |',
  );
  console.log('| --- | --- | --- | --- | --- |');
  const rss = [0, 1]
    .map((end) => Math.round(Math.max(...ours.map((sample) => sample.rssBytes[end] ?? 0)) / 2 ** 20))
    .join(', ');
  const loop = [0, 1].map((end) => median(ours.map((sample) => sample.loopDelayP99Ms[end] ?? 0)).toFixed(1)).join(', ');
  console.log(
    `| store → store | ${median(ours.map(rate)).toFixed(2)} | ${median(ours.map(cost)).toFixed(2)} (${ends(ours)}) | ${rss} | ${loop} |`,
  );
  console.log(
    `| nginx → curl -o | ${median(theirs.map(rate)).toFixed(2)} | ${median(theirs.map(cost)).toFixed(2)} (${ends(theirs)}) | | |`,
  );
  const faster = median(rounds.map((round) => rate(round.ours) / rate(round.theirs)));
  const cheaper = median(rounds.map((round) => cost(round.ours) / cost(round.theirs)));
  console.log(`| ratio | ${faster.toFixed(2)} | ${cheaper.toFixed(2)} | | |`);
}
