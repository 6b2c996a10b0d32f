/**
 * `dfstore import | export | stat | rm | cp`: content in the cluster that belongs to an object of a store. The flags
 * and environment variables of `import` and `export` are those of the original; the other sub-commands, and the write
 * modes, exist only in this implementation.
 */
import { Command as Parser, CommanderError } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { version } from '../../core/version.ts';
import { usageError } from '../../core/usage-error.ts';
import { Verb } from '../verb.ts';
import type { CopyFlags } from './copy.ts';
import type { StoreExportFlags, StoreImportFlags } from './transfer.ts';
import type { RemoveFlags, StatFlags } from './stat.ts';
import { withStorage } from './storage-flags.ts';

export const runDfstore: Command = async (argv, io) => {
  let work: (() => Promise<number>) | undefined;
  const parser = new Parser('dfstore')
    .description('Puts files into the cluster and into an object store, and gets them out on any node.')
    .version(`dfstore ${version}`, '-V, --version')
    .configureHelp({ minWidthToWrap: 20 })
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined });
  const verb = (spec: string, text: string, prefix: string): Verb =>
    new Verb(parser.command(spec).description(text), prefix, io);

  const forImporting = verb('import <path>', 'puts a file in', 'DFSTORE_IMPORT')
    .flag('--url <url>', 'of the object, for example s3://bucket/key')
    .flag('--timeout <duration>', 'how long it may take', '30m');
  withStorage(forImport(forImporting))
    .common()
    .parser.action((path: string, flags: StoreImportFlags) => {
      work = async () => (await import('./transfer.ts')).importObject(path, flags, io);
    });

  const forExporting = verb('export <url>', 'writes it to a file', 'DFSTORE_EXPORT')
    .flag('-O, --output <path>', 'file to write')
    .flag('--timeout <duration>', 'how long it may take', '2h');
  withStorage(forExport(forExporting))
    .common()
    .parser.action((url: string, flags: StoreExportFlags) => {
      work = async () => (await import('./transfer.ts')).exportObject(url, flags, io);
    });

  withStorage(verb('stat <url>', 'what the cluster knows of it', 'DFSTORE_STAT').flag('--json', 'JSON'))
    .common()
    .parser.action((url: string, flags: StatFlags) => {
      work = async () => (await import('./stat.ts')).statObject(url, flags, io);
    });

  withStorage(
    verb(
      'rm <url>',
      'deletes it from all nodes and from its store; for whoever imported it on this node, and for root',
      'DFSTORE_RM',
    ).flag('--keep-object', 'the store keeps what it has'),
  )
    .common()
    .parser.action((url: string, flags: RemoveFlags) => {
      work = async () => (await import('./stat.ts')).removeObject(url, flags, io);
    });

  const forCopying = verb(
    'cp <from> <to>',
    'import or export: one of the two is the URL of an object',
    'DFSTORE_CP',
  ).flag('--timeout <duration>', 'how long it may take; by default as long as import and export');
  withStorage(forExport(forImport(forCopying)))
    .common()
    .parser.action((from: string, to: string, flags: CopyFlags) => {
      work = async () => (await import('./copy.ts')).copy(from, to, flags, io);
    });

  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    return helpOrError(error, argv.length === 0, parser, io);
  }
  return work ? work() : 2;
};

function forImport(verb: Verb): Verb {
  return verb
    .flag(
      '--write <way>',
      'through: done when the store has it; back: done when the nodes have it, and the store gets it afterwards; replicas: no store gets it',
      'through',
    )
    .flag('--persistent-replica-count <number>', 'nodes that are to hold it, 1 to 5', '2')
    .flag('--ttl <duration>', 'how long the nodes hold it, 5m to 7d', '1h');
}

function forExport(verb: Verb): Verb {
  return verb
    .flag('--transfer-from-dfdaemon', 'get the bytes over the socket and write the file here')
    .flag('--overwrite', 'replace the output when it exists')
    .flag('--force-hard-link', 'fail when the output cannot be a hard link')
    .flag('--digest <algorithm:value>', 'md5, sha1, sha256, sha512 or crc32 the content must have');
}

function helpOrError(error: unknown, empty: boolean, parser: Parser, io: CommandIo): number {
  if (!(error instanceof CommanderError)) throw error;
  if (error.exitCode === 0) return 0;
  if (empty || error.code === 'commander.help') {
    io.stderr.write(parser.helpInformation());
    return 2;
  }
  throw usageError(error, 'Run "dfstore --help" for the commands.');
}
