/**
 * `dfcache import | export | stat | rm`: content that is stored in the cluster, without an origin. Flags and
 * environment variables are those of the original; `rm` exists only in this implementation.
 */
import { Command as Parser, CommanderError } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { version } from '../../core/version.ts';
import { usageError } from '../../core/usage-error.ts';
import { Verb } from '../verb.ts';
import type { ExportFlags } from './export.ts';
import type { ImportFlags } from './import.ts';
import type { StatFlags } from './stat.ts';

export const runDfcache: Command = async (argv, io) => {
  let work: (() => Promise<number>) | undefined;
  const parser = new Parser('dfcache')
    .description('Puts files into the cluster to stay, on as many nodes as wanted, and gets them out on any node.')
    .version(`dfcache ${version}`, '-V, --version')
    .configureHelp({ minWidthToWrap: 20 })
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined });
  const verb = (spec: string, text: string, prefix: string): Verb =>
    new Verb(parser.command(spec).description(text), prefix, io);

  verb('import <path>', 'puts a file in; done when as many nodes as wanted hold it', 'DFCACHE_IMPORT')
    .flag('--content-for-calculating-task-id <text>', 'the id is the SHA-256 of this text rather than of the content')
    .flag('--persistent-replica-count <number>', 'nodes that are to hold it, 1 to 5', '2')
    .flag('--piece-length <size>', 'from 4MiB to 64MiB; by the size of the file when left out')
    .flag('--application <name>', 'part of the id')
    .flag('--tag <tag>', 'part of the id')
    .flag('--ttl <duration>', 'how long it stays, 5m to 7d', '1h')
    .flag('--timeout <duration>', 'how long it may take', '30m')
    .common()
    .parser.action((path: string, flags: ImportFlags) => {
      work = async () => (await import('./import.ts')).importFile(path, flags, io);
    });

  verb('export <id>', 'writes it to a file', 'DFCACHE_EXPORT')
    .flag('-O, --output <path>', 'file to write')
    .flag('--transfer-from-dfdaemon', 'get the bytes over the socket and write the file here')
    .flag('--overwrite', 'replace the output when it exists')
    .flag('--force-hard-link', 'fail when the output cannot be a hard link')
    .flag('--application <name>', 'for statistics and block lists')
    .flag('--tag <tag>', 'for statistics and block lists')
    .flag('--digest <algorithm:value>', 'md5, sha1, sha256, sha512 or crc32 the content must have')
    .flag('--timeout <duration>', 'how long it may take', '2h')
    .common()
    .parser.action((id: string, flags: ExportFlags) => {
      work = async () => (await import('./export.ts')).exportTask(id, flags, io);
    });

  verb('stat <id>', 'what the cluster knows of it', 'DFCACHE_STAT')
    .flag('--json', 'JSON')
    .common()
    .parser.action((id: string, flags: StatFlags) => {
      work = async () => (await import('./stat.ts')).statTask(id, flags, io);
    });

  verb('rm <id>', 'deletes it from all nodes; for whoever imported it on this node, and for root', 'DFCACHE_RM')
    .common()
    .parser.action((id: string, flags: StatFlags) => {
      work = async () => (await import('./stat.ts')).removeTask(id, flags, io);
    });

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
  throw usageError(error, 'Run "dfcache --help" for the commands.');
}
