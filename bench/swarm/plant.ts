/**
 * Plants one bug after the other in a copy of the download's machine, and tells what finds it: node bench/swarm/plant.ts [RUNS [FIRST LAST]]
 *
 * Two searches are made: the property tests of the machine, and simulated runs with random faults, until one is bad, at most RUNS (300).
 * FIRST and LAST choose from the list of bugs.
 * The last line says how many were found by neither.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { plantedBugs, type PlantedBug } from './planted-bugs.ts';

const root = join(import.meta.dirname, '../..');
const [runs = 300, first = 1, last = plantedBugs.length] = process.argv.slice(2).map(Number);
const chosen = plantedBugs.slice(first - 1, last);
/** A bug may also make a run endless. */
const timeoutMs = 240_000;

const directory = mkdtempSync(join(tmpdir(), 'dragonfly-planted-'));
let missed = 0;
try {
  for (const part of ['src/core', 'src/swarm', 'src/simulator', 'test/support/download-world.ts', 'package.json'])
    cpSync(join(root, part), join(directory, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
  // That something is found is enough: the shortest sequence would take long.
  writeFileSync(
    join(directory, 'first.mjs'),
    "import fc from 'fast-check';\nfc.configureGlobal({ endOnFailure: true });\n",
  );
  console.log('| planted | property tests | simulated runs |');
  console.log('| --- | --- | --- |');
  for (const bug of chosen) {
    const [properties, simulation] = search(bug);
    if (properties === undefined && simulation === undefined) missed += 1;
    console.log(`| ${bug.name} | ${properties ?? 'do not find it'} | ${simulation ?? `${runs} runs do not find it`} |`);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
console.log(`\n${chosen.length} bugs, ${missed} of them found by neither`);
process.exitCode = missed === 0 ? 0 : 1;

function search({ file, find, put }: PlantedBug): readonly (string | undefined)[] {
  const path = join(directory, 'src/swarm/peer', file);
  const original = readFileSync(path, 'utf8');
  writeFileSync(path, original.replace(find, put));
  try {
    return [byProperties(), bySimulation()];
  } finally {
    writeFileSync(path, original);
  }
}

/** The first thing that is wrong. */
function byProperties(): string | undefined {
  const { status, output } = run('--import', './first.mjs', 'src/swarm/peer/download/peer-machine.property.test.ts');
  if (status === 0) return undefined;
  return /AssertionError \[ERR_ASSERTION\]: (.*)|\[cause\]: (.*)/.exec(output)?.slice(1).find(Boolean) ?? 'never end';
}

function bySimulation(): string | undefined {
  const { output } = run('--input-type=module', '--eval', until(runs));
  return output.trim().split('\n').at(-1) === 'none' ? undefined : (output.trim().split('\n').at(-1) ?? 'never end');
}

/** Runs with faults until one is bad. */
function until(last: number): string {
  return `
    import { randomTrouble, runTrouble } from '${join(directory, 'src/simulator/trouble.ts')}';
    const search = () => {
      for (let seed = 1; seed <= ${last}; seed += 1) {
        try {
          const { unfinished, failed, avoidableCopies } = runTrouble(randomTrouble(seed));
          if (unfinished + failed > 0) return \`run \${seed} leaves \${unfinished + failed} peers behind\`;
          if (avoidableCopies > 0.02) return \`run \${seed} takes \${avoidableCopies.toFixed(2)} copies too many\`;
        } catch (error) {
          return \`run \${seed}: \${String(error.message).split('\\n')[0]}\`;
        }
      }
      return 'none';
    };
    console.log(search());`;
}

function run(...args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const { status, stdout } = spawnSync(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: directory,
    encoding: 'utf8',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  return { status, output: stdout };
}
