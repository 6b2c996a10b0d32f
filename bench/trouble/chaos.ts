/**
 * What a sick part costs, cell by cell: every part a process on a host (network namespace) and a disk of its own.
 *   node bench/trouble/chaos.ts [--faults SIGSTOP,…] [--parts seed,…] [--when before,during] [--state cold,warm] [--mib 24]
 *     [--times 1] [--keep DIRECTORY] [--write FILE]
 * `cold`: parent and child ask at the same moment for what nobody has. `warm`: seed and parent have it, the child asks. `before`: the
 * fault strikes before anybody asks, `during`: when the child has a third. Prints how much longer the child took than without, what it
 * ended with, and the origin's copies. `--times` runs each cell so often; `--keep` leaves there what the parts have logged, and each download event by event. A fault of the origin is no fault of the product: an error is right there. Needs root.
 */
import { globSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeRandomFile, sha256OfFile } from '../../test/support/random-file.ts';
import { temporaryDirectory } from '../../test/support/temporary-directory.ts';
import { ChaosCluster, type PartName } from './chaos/cluster.ts';
import { faults, type Fault } from './chaos/faults.ts';
import { writeRows } from './chaos/table.ts';

const { values } = parseArgs({
  options: {
    faults: { type: 'string' },
    parts: { type: 'string' },
    when: { type: 'string', default: 'before,during' },
    state: { type: 'string', default: 'cold,warm' },
    mib: { type: 'string', default: '24' },
    times: { type: 'string', default: '1' },
    keep: { type: 'string' },
    write: { type: 'string' },
  },
});
const contentBytes = Number(values.mib) * 2 ** 20;
const originBytesPerSec = 12 * 2 ** 20;
const patienceMs = 60_000;

interface Cell {
  readonly state: string;
  readonly when: string;
  readonly fault: Fault | undefined;
  readonly part: PartName;
}

interface Outcome {
  readonly seconds: number;
  readonly ended: string;
  readonly copies: number;
}

const without = new Map<string, number>();
let worst = 0;
console.log('| state | when | part | fault | s more | outcome | origin copies |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const state of values.state.split(',')) {
  const usual = [];
  for (let round = 0; round < 3; round += 1)
    usual.push((await run({ state, when: '', fault: undefined, part: 'child' })).seconds);
  without.set(state, usual.toSorted((a, b) => a - b)[1] ?? 0);
  console.log(`| ${state} | | none | none | ${usual.map((one) => one.toFixed(2)).join(' ')} in all | right | |`);
  for (const when of values.when.split(',')) await rows(state, when);
}
console.log(`the worst of those that ended well: ${worst.toFixed(2)} s more`);

async function rows(state: string, when: string): Promise<void> {
  for (const fault of faults) {
    if (values.faults !== undefined && !values.faults.split(',').includes(fault.name)) continue;
    for (const part of fault.parts) {
      if (values.parts !== undefined && !values.parts.split(',').includes(part)) continue;
      if (!hasMeaning({ state, when, fault, part })) continue;
      const cell = { state, when, fault, part };
      const runs: Outcome[] = [];
      while (runs.length < Number(values.times)) runs.push(await run(cell, runs.length));
      const more = runs.map(({ seconds }) => seconds - (without.get(state) ?? 0));
      for (const [index, { ended }] of runs.entries()) if (ended === 'right') worst = Math.max(worst, more[index] ?? 0);
      const each = (texts: readonly string[]): string => [...new Set(texts)].join(' ');
      const ended = each(runs.map((one) => one.ended));
      const copies = each(runs.map((one) => one.copies.toFixed(2)));
      const times = more.map((one) => one.toFixed(2)).join(' ');
      console.log(`| ${state} | ${when} | ${part} | ${fault.name} | ${times} | ${ended} | ${copies} |`);
      if (values.write !== undefined)
        writeRows(values.write, [{ state, when, part, fault: fault.name, more, ended, copies }]);
    }
  }
}

/** Nothing is on a disk before anybody has asked; what befalls the child itself before it asks leaves nobody to ask. */
function hasMeaning({ state, when, fault, part }: Cell): boolean {
  const onContent = fault?.name === 'bit flip' || fault?.name === 'truncated file';
  if (onContent && when === 'before' && part !== 'origin') return state === 'warm' && part !== 'child';
  const dies = ['SIGSTOP', 'SIGKILL', 'link down', '1 B/s', 'loss 30 %'].includes(fault?.name ?? '');
  return !(part === 'child' && dies);
}

async function run(cell: Cell, time = 0): Promise<Outcome> {
  await using directory = await temporaryDirectory('df-chaos-');
  const { fault, part, when, state } = cell;
  const early = fault?.clockMs !== undefined && when === 'before' ? { clockAtStart: part } : {};
  await using cluster = await ChaosCluster.start(directory.path, {
    originBytesPerSec,
    clockMs: fault?.clockMs ?? 0,
    records: values.keep !== undefined,
    ...early,
  });
  const content = join(cluster.part('origin').directory, 'content');
  const { sha256 } = await makeRandomFile(content, contentBytes);
  for (const one of cluster.parts.values()) if (one.name !== 'origin') one.backUp();
  const outputs = join(directory.path, 'outputs');
  mkdirSync(outputs);
  const output = (name: string): string => join(outputs, name);
  const signal = AbortSignal.timeout(patienceMs);
  if (state === 'warm') {
    await cluster.download('parent', 'content', output('warm'), signal);
    rmSync(output('warm'));
  }
  const before = state === 'warm' ? cluster.originBytes : 0;
  const strike = async (): Promise<void> => await fault?.strike(cluster.part(part), cluster, content);
  if (when === 'before' && fault && !('clockAtStart' in early)) await strike();
  const startedMs = performance.now();
  const beside = state === 'cold' ? cluster.download('parent', 'content', output('parent'), signal) : Promise.resolve();
  beside.catch(() => undefined);
  let endedMs = 0; // a fault that restarts a part may last longer than the download
  const child = cluster.download('child', 'content', output('child'), signal).finally(() => {
    endedMs = performance.now();
  });
  child.catch(() => undefined);
  if (when === 'during' && fault) {
    await thirdOf(cluster.part('child').directory, signal);
    await strike();
  }
  const ended = await outcome(child, output('child'), [sha256, await sha256OfFile(content)]);
  const seconds = (endedMs - startedMs) / 1000;
  if (values.keep !== undefined) {
    const name = [state, when, part, fault?.name ?? 'none', time].join(' ').replaceAll(/[^a-z0-9]+/gi, '-');
    cluster.keep(join(values.keep, name), startedMs);
  }
  return { seconds, ended, copies: (cluster.originBytes - before) / contentBytes };
}

/** @param contents the origin's before and after the fault, of which a download may have either, and never a mixture. */
async function outcome(child: Promise<void>, path: string, contents: readonly string[]): Promise<string> {
  try {
    await child;
  } catch (error) {
    return `error: ${(error as Error).message.slice(0, 100)}`;
  }
  return contents.includes(await sha256OfFile(path)) ? 'right' : 'WRONG BYTES';
}

/** Resolves when the child's store has a third of the content, by the blocks it uses. */
async function thirdOf(directory: string, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const files = globSync(join(directory, 'data', '**', '*')).filter((path) => statSync(path).isFile());
    const bytes = files.reduce((sum, path) => sum + statSync(path).blocks * 512, 0);
    if (bytes >= contentBytes / 3) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
