/** `dragonfly man [PROGRAM]`: prints a program's manual page, or writes the pages of all programs to a directory. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DragonflyError } from '../../core/errors.ts';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { version } from '../../core/version.ts';
import { helpOfAll, type NamedProgram } from '../help-text.ts';
import { overviewPage, programPage, type PageFacts } from './manual-page.ts';

const help = `Usage: dragonfly man [options] [program]

Prints a manual page: dragonfly man dfget | man -l -

Arguments:
  program             the one to tell of; all programs in short when left out

Options:
  --directory <path>  write the pages of all programs into this directory,
                      which is made when it is missing
  -h, --help          display help for command
`;

/** Reproducible builds set the date of everything by this variable. */
const dateVariable = 'SOURCE_DATE_EPOCH';

export function createManual(programs: () => readonly NamedProgram[]): Command {
  return async (argv, io) => {
    const { name, directory, wantsHelp } = argumentsOf(argv);
    const facts = { version, date: dateOf(io) };
    if (wantsHelp) io.stdout.write(help);
    else if (directory !== undefined) await writePages(directory, programs(), facts, io);
    else if (name === undefined) io.stdout.write(overviewPage(programs(), facts));
    else io.stdout.write(await pageOf(named(name, programs()), facts, io));
    return 0;
  };
}

function argumentsOf(argv: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: { directory: { type: 'string' }, help: { type: 'boolean', short: 'h' } },
    });
    if (positionals.length > 1) throw new Error(`"${positionals[1]}" is one argument too many`);
    if (positionals.length > 0 && values.directory !== undefined)
      throw new Error('--directory writes the pages of all programs');
    return { name: positionals[0], directory: values.directory, wantsHelp: values.help === true };
  } catch (cause) {
    const message = cause instanceof Error ? cause.message.split('. ')[0] : String(cause);
    throw new DragonflyError('INVALID_ARGUMENT', message ?? '', { hint: 'See dragonfly man --help.', cause });
  }
}

function named(name: string, programs: readonly NamedProgram[]): NamedProgram {
  const program = programs.find((one) => one.name === name);
  if (program) return program;
  throw new DragonflyError('INVALID_ARGUMENT', `there is no program "${name}"`, {
    hint: 'Run dragonfly --help for their names.',
  });
}

async function pageOf(program: NamedProgram, facts: PageFacts, io: CommandIo): Promise<string> {
  return programPage(program, await helpOfAll(program, io), facts);
}

async function writePages(
  directory: string,
  programs: readonly NamedProgram[],
  facts: PageFacts,
  io: CommandIo,
): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'dragonfly.1'), overviewPage(programs, facts));
  for (const program of programs)
    await writeFile(join(directory, `dragonfly-${program.name}.1`), await pageOf(program, facts, io));
}

function dateOf({ env }: CommandIo): string {
  const seconds = Number(env[dateVariable]);
  const date = env[dateVariable] !== undefined && Number.isFinite(seconds) ? new Date(seconds * 1000) : new Date();
  return date.toISOString().slice(0, 10);
}
