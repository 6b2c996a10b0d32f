/**
 * `dragonfly hub-cache OWNER/NAME`: a repository in the cache of Hugging Face clients, which find it there as if they had
 * loaded it. Files are links to what the dfdaemon holds, or share their blocks with it, where the file system can do that.
 */
import { Command as Parser, CommanderError } from 'commander';
import { DragonflyError } from '../../core/errors.ts';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { usageError } from '../../core/usage-error.ts';
import { createClient } from '../../rpc/client.ts';
import { DfdaemonLocalDefinition } from '../../../gen/dfdaemon/v2/local.ts';
import { connectDaemon } from '../daemon-connection.ts';
import { ProgressBar } from '../dfget/progress-bar.ts';
import { cacheDirectory, HubCache } from './cache-layout.ts';
import { HubRepository, type RepositoryFile } from './hub-repository.ts';
import { HeldFiles } from './held-files.ts';

interface HubCacheFlags {
  readonly revision: string;
  readonly type: string;
  readonly cacheDir?: string;
  readonly door?: string;
  readonly endpoint?: string;
  readonly atOnce: string;
  readonly progress: boolean;
}

const kinds: ReadonlySet<string> = new Set(['model', 'dataset', 'space']);
const defaultDoor = 'http://127.0.0.1:65001/hf';
const mostAtOnce = 64;

export const runHubCache: Command = async (argv, io) => {
  let work: (() => Promise<number>) | undefined;
  const parser = new Parser('dragonfly hub-cache')
    .description('Puts a repository of a model hub into the cache of its clients, once on the disk.')
    .argument('<repository>', 'owner/name')
    .option('--revision <name>', 'branch, tag or commit', 'main')
    .option('--type <type>', 'model, dataset or space', 'model')
    .option('--cache-dir <path>', 'of the clients; by default that of HF_HUB_CACHE or HF_HOME, as they have it')
    .option('--door <url>', `of the dfdaemon for such clients; by default HF_ENDPOINT, or ${defaultDoor}`)
    .option('--at-once <number>', 'files at once', '8')
    .option('-e, --endpoint <path>', 'unix socket of the dfdaemon')
    .option('--no-progress', 'no progress bar; without a terminal there is none anyway')
    .configureHelp({ minWidthToWrap: 20 })
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined })
    .action((name: string, flags: HubCacheFlags) => {
      work = () => fill(name, flags, io);
    });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw usageError(error, 'Run "dragonfly hub-cache --help".');
  }
  return work ? work() : 2;
};

async function fill(name: string, flags: HubCacheFlags, io: CommandIo): Promise<number> {
  const { signal, env } = io;
  const atOnce = /^\d{1,3}$/.test(flags.atOnce) ? Number(flags.atOnce) : 0;
  if (atOnce < 1 || atOnce > mostAtOnce)
    throw invalid(`"${flags.atOnce}" is not a valid value of --at-once`, `Write a whole number up to ${mostAtOnce}.`);
  if (!/^[\w.-]+\/[\w.-]+$/.test(name)) throw invalid(`"${name}" names no repository`, 'Write owner/name.');
  if (flags.revision.split('/').some((part) => part === '' || part === '.' || part === '..'))
    throw invalid(`"${flags.revision}" is no revision`, 'Write a branch, a tag or a commit.');
  if (!kinds.has(flags.type)) throw invalid(`"${flags.type}" is no type of a repository`, 'Write model or dataset.');
  const door = flags.door ?? env['HF_ENDPOINT'] ?? defaultDoor;
  if (!URL.canParse(door)) throw invalid(`"${door}" is not a URL`, 'Name the door with --door.');
  await using connection = await connectDaemon(flags.endpoint, io);
  const repository = new HubRepository({ door, type: flags.type, name, token: env['HF_TOKEN'], signal });
  const commit = await repository.commitOf(flags.revision);
  const files = await repository.files(commit);
  const cache = new HubCache(flags.cacheDir ?? cacheDirectory(env), { type: flags.type, name });
  const local = createClient(DfdaemonLocalDefinition, connection.channels, connection.endpoint.address);
  const held = new HeldFiles({ local, repository, signal });
  using progress = new ProgressBar(io.stderr, { label: name.slice(0, 30), visible: flags.progress });
  const missing = files.filter((file) => !cache.has(file));
  progress.expect(missing.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0));
  await each(missing, atOnce, async (file) => {
    await held.place(file, commit, await cache.pathFor(file));
    progress.advance(file.lengthBytes);
  });
  io.stdout.write(`${await cache.link(files, { revision: flags.revision, commit })}\n`);
  return 0;
}

/** Several at a time. After the first failure no more are started, and it is thrown when the running ones have ended. */
async function each(
  files: readonly RepositoryFile[],
  atOnce: number,
  work: (file: RepositoryFile) => Promise<void>,
): Promise<void> {
  // Of equal files only one is fetched.
  const waiting = new Map(files.map((file) => [file.etag, file])).values();
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (const file of waiting) {
      if (failures.length > 0) return;
      await work(file).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  if (failures.length > 0) throw failures[0];
}

function invalid(message: string, hint: string): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', message, { hint });
}
