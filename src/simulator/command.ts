/** `dragonfly simulate`: runs one set-up or a named scenario, and prints a table or one JSON object per run. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command as Parser } from 'commander';
import type { Command, CommandIo } from '../core/process/command.ts';
import { DragonflyError } from '../core/errors.ts';
import { makeDirectory } from '../core/files/make-directory.ts';
import { defaultSimulation, type Arm, type SimulationOptions } from './options.ts';
import { simulateMoves } from './moves.ts';
import { type Curve, nameOf, plots } from './plots.ts';
import { printReplay } from './replay.ts';
import { linkBed, scenarios } from './scenarios.ts';
import { simulate } from './simulation.ts';

const decimal: Readonly<Record<string, number>> = { kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12 };

/** Units are decimal (`200MB`, `100MB/s`), as in the published figures of this field. */
export function parseDecimalBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]b)(?:\/s)?$/i.exec(text);
  if (!match)
    throw new DragonflyError('INVALID_ARGUMENT', `"${text}" is not a size or rate`, {
      hint: 'Write a number with a unit: 200MB, 1GB, 100MB/s.',
    });
  return Number(match[1]) * (decimal[(match[2] ?? '').toLowerCase()] ?? 1);
}

export const runSimulate: Command = async (argv, io) => {
  const parser = new Parser('simulate')
    .description('Runs the real decisions of scheduler and peers in virtual time and prints how fast a file spreads.')
    .option('--peers <number>', 'nodes that download', '100')
    .option('--size <bytes>', 'content, with a unit', '1GB')
    .option('--up <rate>', 'uplink of every node', '100MB/s')
    .option('--down <rate>', 'downlink of every node; as its uplink when left out')
    .option('--arm <name>', 'ours; dag or tree to compare with', 'ours')
    .option('--seed <number>', 'of all chance: the same seed gives the same run', '1')
    .option('--scenario <name>', `instead of the above: ${Object.keys(scenarios).join(', ')}`)
    .option('--json', 'one JSON object per run')
    .option('--peers-up-to <number>', 'of a scenario, only the runs with at most so many')
    .option(
      '--replay <file>',
      'instead: play a download that a dfdaemon has recorded; 1 if it would go otherwise today',
    )
    .option('--moves <file>', 'JSON of who got how many pieces from whom, and when; one run, drawn by the console')
    .option('--plots <directory>', 'SVG pictures: completions, R, seconds, origin copies, use of the links')
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: (text) => io.stderr.write(text) });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    return (error as { exitCode?: number }).exitCode === 0 ? 0 : 2;
  }
  const values = parser.opts<Flags>();
  if (values.replay !== undefined)
    return printReplay(readFileSync(values.replay, 'utf8'), (line) => io.stdout.write(`${line}\n`)) ? 0 : 1;
  if (values.moves !== undefined) return writeMoves(values.moves, plan(values), io);
  const curves: Curve[] = [];
  if (values.json !== true) io.stdout.write(`${heading}\n`);
  for (const options of plan(values)) {
    if (io.signal.aborted) break;
    const result = simulate(options);
    const { completions: _, uplinkUse: __, ...figures } = result;
    const { arm, peers, contentBytes, seed, limits } = { ...defaultSimulation, ...options };
    const crossZonePeers = limits?.crossZonePeers ?? 0;
    const curve = { arm, peers, contentBytes, crossZonePeers, result };
    curves.push(curve);
    io.stdout.write(
      values.json === true
        ? `${JSON.stringify({ arm, peers, contentBytes, crossZonePeers, seed, ...figures })}\n`
        : `${rowOf(curve)}\n`,
    );
  }
  if (values.plots !== undefined) {
    makeDirectory(values.plots);
    const scenario = values.scenario === undefined ? undefined : scenarios[values.scenario];
    for (const [name, svg] of plots(values.scenario ?? 'simulated swarm', curves, scenario?.published))
      writeFileSync(join(values.plots, name), svg);
  }
  return 0;
};

function writeMoves(file: string, runs: readonly Partial<SimulationOptions>[], io: CommandIo): number {
  const [options, ...more] = runs;
  if (!options || more.length > 0)
    throw new DragonflyError('INVALID_ARGUMENT', `--moves is for one run, not for ${runs.length}`, {
      hint: 'Leave out --scenario, and say --peers, --size and --arm.',
    });
  const { arm, contentBytes } = { ...defaultSimulation, ...options };
  const { result, moves } = simulateMoves(options);
  writeFileSync(file, JSON.stringify({ arm, content_length: contentBytes, r: result.r, ...moves }));
  io.stdout.write(
    `${heading}\n${rowOf({ arm, peers: options.peers ?? 0, contentBytes, crossZonePeers: 0, result })}\n`,
  );
  return 0;
}

const columns = [
  'run',
  'R',
  'mean',
  'seconds',
  'limit',
  'p99',
  'MB/s min',
  'mean',
  'max',
  'copies',
  'requests',
  'crossed',
  'unfinished',
];
const heading = row(columns);

function rowOf(curve: Curve): string {
  const { result } = curve;
  return row([
    nameOf(curve),
    result.r.toFixed(3),
    (result.meanSeconds / result.fluidLimitSeconds).toFixed(3),
    result.timeToLastSeconds.toFixed(2),
    result.fluidLimitSeconds.toFixed(2),
    result.p99Seconds.toFixed(2),
    ...[result.speed.min, result.speed.mean, result.speed.max].map((rate) => (rate / 1e6).toFixed(1)),
    result.originCopies.toFixed(3),
    String(result.originRequests),
    result.crossZoneCopies?.toFixed(2) ?? '–',
    String(result.unfinished),
  ]);
}

function row([run = '', ...figures]: readonly string[]): string {
  return `${run.padEnd(26)}${figures.map((figure) => figure.padStart(11)).join('')}`;
}

interface Flags {
  readonly peers: string;
  readonly size: string;
  readonly up: string;
  readonly down?: string | undefined;
  readonly arm: string;
  readonly seed: string;
  readonly scenario?: string | undefined;
  readonly json?: boolean;
  readonly peersUpTo?: string;
  readonly plots?: string;
  readonly moves?: string;
  readonly replay?: string;
}

function plan(flags: Flags): readonly Partial<SimulationOptions>[] {
  const seed = wholeNumber('--seed', flags.seed);
  if (flags.scenario !== undefined) {
    const scenario = scenarios[flags.scenario];
    if (!scenario) {
      throw new DragonflyError('INVALID_ARGUMENT', `there is no scenario "${flags.scenario}"`, {
        hint: `Choose one of ${Object.keys(scenarios).join(', ')}.`,
      });
    }
    const most = flags.peersUpTo === undefined ? Infinity : wholeNumber('--peers-up-to', flags.peersUpTo);
    return scenario.runs.filter(({ peers = 0 }) => peers <= most).map((options) => ({ ...options, seed }));
  }
  if (flags.arm !== 'ours' && flags.arm !== 'dag' && flags.arm !== 'tree') {
    throw new DragonflyError('INVALID_ARGUMENT', `there is no arm "${flags.arm}"`, {
      hint: 'Choose ours, dag or tree.',
    });
  }
  const arm: Arm = flags.arm;
  const bed = linkBed(parseDecimalBytes(flags.up), parseDecimalBytes(flags.down ?? flags.up));
  return [
    { ...bed, peers: wholeNumber('--peers', flags.peers), contentBytes: parseDecimalBytes(flags.size), arm, seed },
  ];
}

function wholeNumber(flag: string, text: string): number {
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new DragonflyError('INVALID_ARGUMENT', `${flag} must be a whole number from 1 to 9999999, not "${text}"`);
}
