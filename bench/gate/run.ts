/**
 * Has something become slower? Every figure is a ratio of two things measured in turns in this run, larger is better, and is
 * compared with the one in floors.json. What is more than 15 % below is measured again; twice in a row fails.
 *
 *   npm run bench:gate [-- --only bytes,tls,first-byte,beds] [--write]
 *
 * `--write` stores this run's figures as the new floors. Needs nginx, curl and openssl; takes less than five minutes.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureBeds } from './beds.ts';
import { measureBytes } from './bytes.ts';
import { measureFirstByte } from './first-byte.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'bytes,tls,first-byte,beds' },
    write: { type: 'boolean', default: false },
  },
});
const allowedFall = 0.15;
const half = 2 ** 29;
const groups: Readonly<Record<string, (directory: string) => Promise<Map<string, number>> | Map<string, number>>> = {
  bytes: (directory) => measureBytes(directory, { bytes: half, rounds: 5, tls: false }),
  tls: (directory) => measureBytes(directory, { bytes: half, rounds: 3, tls: true }),
  'first-byte': (directory) => measureFirstByte(directory, 30),
  beds: () => measureBeds(),
};
const floorsFile = join(import.meta.dirname, 'floors.json');
const floors = JSON.parse(readFileSync(floorsFile, 'utf8')) as Record<string, number>;

console.log('| figure | now | floor | again |');
console.log('| --- | --- | --- | --- |');
let red = 0;
for (const group of values.only.split(',')) {
  const first = await measure(group);
  const fallen = [...first].filter(([name, figure]) => isLow(name, figure));
  const second = fallen.length > 0 && !values.write ? await measure(group) : undefined;
  for (const [name, figure] of first) {
    const again = second?.get(name);
    const isRed = isLow(name, figure) && again !== undefined && isLow(name, again);
    if (isRed) red += 1;
    const floor = floors[name]?.toFixed(2) ?? 'none';
    console.log(`| ${name} | ${figure.toFixed(2)} | ${floor} | ${again?.toFixed(2) ?? ''}${isRed ? ' RED' : ''} |`);
    if (values.write) floors[name] = Number(figure.toFixed(3));
  }
}
if (values.write) writeFileSync(floorsFile, `${JSON.stringify(floors, undefined, 2)}\n`);
console.log(`\n${red === 0 ? 'green' : `${red} red`}; load average ${loadavg()[0]?.toFixed(1)}`);
process.exitCode = red === 0 ? 0 : 1;

async function measure(group: string): Promise<Map<string, number>> {
  const run = groups[group];
  if (!run) throw new Error(`there is no group ${group}`);
  const directory = mkdtempSync(join(tmpdir(), 'dragonfly-gate-'));
  try {
    return await run(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function isLow(name: string, figure: number): boolean {
  return figure < (floors[name] ?? 0) * (1 - allowedFall);
}
