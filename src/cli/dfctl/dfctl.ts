/**
 * `dfctl`: shows what this node's dfdaemon stores, preheats through a scheduler, and shows what the manager knows of nodes and of
 * the past. The object comes first, then the verb.
 */
import { Command as Parser, CommanderError } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { version } from '../../core/version.ts';
import type { ExportFlags, ReceiptFlags } from './local.ts';
import type { ListFlags } from './list.ts';
import type { Flags } from './task.ts';
import type * as TaskVerbs from './task.ts';
import { usageError } from '../../core/usage-error.ts';
import { printable } from '../../core/text/printable.ts';

export const runDfctl: Command = async (argv, given) => {
  const io: CommandIo = { ...given, stdout: readable(given.stdout), stderr: readable(given.stderr) };
  let work: (() => Promise<number>) | undefined;
  const parser = new Parser('dfctl')
    .description('Looks after the tasks of the dfdaemon of this node, and shows the nodes of the manager.')
    .version(`dfctl ${version}`, '-V, --version')
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined });
  const task = parser.command('task').description('files that were downloaded, and the pieces of them');
  const onDaemon = (spec: string, text: string): Parser =>
    task
      .command(spec)
      .description(text)
      .option('-e, --endpoint <path>', 'unix socket of the dfdaemon [DFGET_ENDPOINT]')
      .option('--json', 'JSON, one object per line');
  const tasks = (): Promise<typeof TaskVerbs> => import('./task.ts');
  onDaemon('ls', 'lists what is stored here')
    .option('--sort <order>', 'used, created, size, uploads or name', 'used')
    .action((flags: ListFlags) => {
      work = async () => (await import('./list.ts')).listTasks(flags, io);
    });
  onDaemon('show <id>', 'one task: what is stored here, what the scheduler knows').action(
    (id: string, flags: Flags) => {
      work = async () => (await tasks()).showTask(id, flags, io);
    },
  );
  onDaemon('rm <id...>', 'removes tasks from this node')
    .option('--local', 'has no effect: the scheduler always hears of it')
    .action((ids: string[], flags: Flags) => {
      work = async () => (await tasks()).removeTasks(ids, flags, io);
    });
  onDaemon('verify <id...>', 'reads tasks back from the disk and compares every piece').action(
    (ids: string[], flags: Flags) => {
      work = async () => (await import('./local.ts')).verifyTasks(ids, flags, io);
    },
  );
  onDaemon('export <id>', 'writes a task that is stored whole to a file, without asking anybody else')
    .requiredOption('-O, --output <path>', 'file to write, "-" for standard output')
    .option('--overwrite', 'replace the output when it exists')
    .option('--transfer-from-dfdaemon', 'get the bytes over the socket and write the file here')
    .action((id: string, flags: ExportFlags) => {
      work = async () => (await import('./local.ts')).exportTask(id, flags, given);
    });
  onDaemon('receipts [id]', 'where the bytes of past downloads came from, newest first')
    .option('--limit <number>', 'at most so many', '20')
    .action((id: string | undefined, flags: ReceiptFlags) => {
      work = async () => (await import('./local.ts')).listReceipts(id, flags, io);
    });
  const { definePreheat } = await import('./preheat.ts');
  definePreheat(task, io, (preheat) => (work = preheat));
  const { defineKept } = await import('./kept.ts');
  defineKept(parser, io, (chosen) => (work = chosen));
  const { defineNodes } = await import('./node.ts');
  defineNodes(parser, io, (chosen) => (work = chosen));
  const { defineHistory } = await import('./history.ts');
  defineHistory(parser, io, (chosen) => (work = chosen));
  const { defineReleases } = await import('./release.ts');
  defineReleases(parser, io, (chosen) => (work = chosen));
  const { defineReplication } = await import('./replication.ts');
  defineReplication(parser, io, (chosen) => (work = chosen));
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    return helpOrError(error, argv.length === 0, parser, io);
  }
  return work ? work() : 2;
};

function helpOrError(error: unknown, empty: boolean, parser: Parser, io: CommandIo): number {
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode === 0) return 0;
  if (empty || error.code === 'commander.help') {
    io.stderr.write(parser.helpInformation());
    return 2;
  }
  throw usageError(error, 'Run "dfctl --help" for the commands.');
}

/** What is written as text has names and messages of other machines in it. */
function readable(output: CommandIo['stdout']): CommandIo['stdout'] {
  const write = (chunk: string | Uint8Array): boolean =>
    output.write(typeof chunk === 'string' ? printable(chunk) : chunk);
  return Object.create(output, { write: { value: write } }) as CommandIo['stdout'];
}
