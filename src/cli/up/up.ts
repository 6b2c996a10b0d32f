/**
 * `dragonfly up`: a real cluster on this machine, one file to all of its nodes at once, and the receipt.
 *
 * Afterwards it stays up to be played with; `--once` ends it with 0 when every node has the right bytes and the origin
 * sent them once. Everything lives in one directory, which goes away at the end unless it was named by the user.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { Command as ArgumentParser, CommanderError } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { DragonflyError } from '../../core/errors.ts';
import { makeDirectory } from '../../core/files/make-directory.ts';
import { aborted, Owned, withDeadline } from '../../core/process/lifecycle.ts';
import { ownCommand } from '../../core/own-files.ts';
import { formatBytes, formatDurationMs, parseBytes } from '../../core/units.ts';
import { Channels } from '../../rpc/channels.ts';
import { LocalCluster } from './cluster.ts';
import { daemonSocket } from './config.ts';
import { downloadOnNode, withNodeNames, type NodeProgress, type NodeResult } from './download.ts';
import { LocalOrigin, writeRandomFile } from './origin.ts';
import { ProgressBoard } from './progress.ts';
import {
  differences,
  originCountOf,
  originSentence,
  receiptTable,
  savingSentence,
  type OriginCount,
} from './report.ts';
import { Supervisor } from './supervisor.ts';
import { usageError } from '../../core/usage-error.ts';

interface UpOptions {
  readonly url: string | undefined;
  readonly peers: number;
  readonly sizeBytes: number;
  readonly once: boolean;
  readonly directory: string | undefined;
}

/** With more peers than this, the result depends on the machine rather than on the cluster. */
const maxPeers = 64;
/** Space for databases and logs of all services. */
const stateBytes = 64 * 2 ** 20;
/** The longest path of a socket that the system accepts. */
const maxSocketPathBytes = 107;
/** Enough for all peers to leave the scheduler one after the other. */
const shutdownDeadlineMs = 30_000;
/** A call to a dying service fails slightly before its exit is known. */
const exitNoticeMs = 1_000;

export const runUp: Command = async (argv, io) => {
  const options = parseArguments(argv, io);
  if (options === undefined) return 0;
  await using owned = new Owned(undefined, shutdownDeadlineMs);
  const directory = await stateDirectory(options.directory, owned);
  const say = (text: string): void => void io.stdout.write(`${text}\n`);
  await requireSpace(directory, options);
  const rootPassword = await rootPasswordIn(directory);

  const source =
    options.url === undefined ? await ownOrigin(directory, options.sizeBytes, owned, io.signal) : undefined;
  const url = source?.origin.url ?? options.url ?? '';
  say(source ? `origin: ${url} (${formatBytes(options.sizeBytes)} of random bytes)` : `origin: ${url}`);

  const startedMs = performance.now();
  const starting = LocalCluster.start({ directory, peers: options.peers, rootPassword, signal: io.signal });
  // Whatever has started is stopped, even when Ctrl-C comes during the start.
  owned.defer('cluster', async () => (await starting.catch(() => undefined))?.[Symbol.asyncDispose]());
  const cluster = await untilAborted(starting, io.signal);
  const names = `manager, scheduler, ${cluster.seeds.length} seed peer, ${cluster.peers.length} peers`;
  say(`up in ${formatDurationMs(performance.now() - startedMs)}: ${names}; state in ${directory}`);

  // When the exit code is the verdict, a crash is part of it; otherwise the crashed service is restarted.
  const supervisor = options.once ? undefined : new Supervisor(cluster, say);
  if (supervisor) owned.defer('supervisor', () => supervisor.settled());
  const channels = owned.add('channels', new Channels());
  const downloads = downloadEverywhere({ cluster, channels, url, supervisor }, io);
  const results = await untilAborted(Promise.race([downloads, cluster.crashed]), io.signal);
  const expectedSha256 = source?.sha256 ?? results[0]?.sha256 ?? '';
  const count = source?.origin ?? originCountOf(results);
  const wrong = report(results, expectedSha256, count, say);
  if (wrong.length > 0 && options.once) return 1;
  if (options.once) return 0;

  say(instructions(cluster, url, { taskId: results[0]?.taskId ?? '', rootPassword }));
  await Promise.race([aborted(io.signal), cluster.crashed]);
  say('stopping');
  return 0;
};

interface Distribution {
  readonly cluster: LocalCluster;
  readonly channels: Channels;
  readonly url: string;
  readonly supervisor: Supervisor | undefined;
}

async function downloadEverywhere(distribution: Distribution, io: CommandIo): Promise<readonly NodeResult[]> {
  const names = distribution.cluster.daemons.map(({ name }) => name);
  using board = new ProgressBoard(io.stderr, names);
  // The first failure ends the others, so that nothing is running when the cluster stops.
  const failed = new AbortController();
  const signal = AbortSignal.any([io.signal, failed.signal]);
  const downloads = names.map((name) => downloadOn(name, { distribution, board, signal }));
  try {
    return withNodeNames(await Promise.all(downloads));
  } catch (error) {
    failed.abort();
    await Promise.allSettled(downloads);
    throw error;
  }
}

/** Repeats the download on a node that exited and was restarted in the meantime. */
async function downloadOn(
  name: string,
  context: { distribution: Distribution; board: ProgressBoard; signal: AbortSignal },
): Promise<NodeResult> {
  const { board, signal } = context;
  const { cluster, channels, url, supervisor } = context.distribution;
  const onProgress = (progress: NodeProgress): void => board.update(progress);
  for (;;) {
    const daemon = cluster.daemon(name);
    try {
      return await downloadOnNode(daemon, { channels, url, signal, onProgress });
    } catch (error) {
      // The end of the process may become known a moment after the end of the call.
      const ended = !signal.aborted && (await withDeadline(daemon.process.exited, exitNoticeMs));
      if (!supervisor || !ended) throw error;
      await supervisor.settled();
    }
  }
}

function report(
  results: readonly NodeResult[],
  expectedSha256: string,
  count: OriginCount,
  say: (text: string) => void,
): readonly string[] {
  say(`\n${receiptTable(results, expectedSha256)}\n`);
  say(`sha256 ${expectedSha256}`);
  say(originSentence(count, results[0]?.contentLengthBytes ?? 0));
  say(savingSentence(count, results));
  const wrong = differences(results, expectedSha256, count);
  for (const sentence of wrong) say(`WRONG: ${sentence}`);
  return wrong;
}

function instructions(
  cluster: LocalCluster,
  url: string,
  { taskId, rootPassword }: { taskId: string; rootPassword: string },
): string {
  const console = `http://${cluster.node('manager').process.address('rest')}`;
  const [peer] = cluster.peers;
  const proxy = peer?.process.addresses['proxy'];
  return [
    '',
    `Watch it:   ${console}/tasks/${taskId}`,
    `Sign in:    user root, password ${rootPassword}`,
    ...(peer ? [`Try it:     ${dfgetCommand()} --endpoint ${peer.socket} -O ./by-dfget '${url}'`] : []),
    ...(proxy === undefined ? [] : [`            curl -x http://${proxy} -o ./by-curl '${url}'`]),
    'Stop it:    Ctrl-C',
  ].join('\n');
}

/**
 * Kept with the state, so that a cluster restarted on it prints the same password; one that was changed in the console is known
 * only to its owner.
 */
async function rootPasswordIn(directory: string): Promise<string> {
  const path = join(directory, 'root-password');
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  const password = randomBytes(9).toString('base64url');
  await writeFile(path, `${password}\n`, { mode: 0o600 });
  return password;
}

/** Space for the origin's file, and a copy for each node; the content of a URL has an unknown length. */
async function requireSpace(directory: string, { url, sizeBytes, peers }: UpOptions): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  const neededBytes = (url === undefined ? sizeBytes * (peers + 2) : 0) + stateBytes;
  if (neededBytes <= bavail * bsize) return;
  throw new DragonflyError(
    'NO_SPACE',
    `${formatBytes(neededBytes)} are needed in ${directory}, ${formatBytes(bavail * bsize)} are free`,
    { hint: 'Choose a smaller --size, fewer --peers, or another --directory.' },
  );
}

/** The shortest command that works from the current directory. */
function dfgetCommand(): string {
  const [path, ...words] = ownCommand('dfget');
  const fromHere = relative(process.cwd(), path);
  return [fromHere.startsWith('..') ? path : fromHere, ...words].join(' ');
}

async function ownOrigin(
  directory: string,
  sizeBytes: number,
  owned: Owned,
  signal: AbortSignal,
): Promise<{ origin: LocalOrigin; sha256: string }> {
  await mkdir(join(directory, 'origin'), { recursive: true });
  const path = join(directory, 'origin', 'file.bin');
  const sha256 = await writeRandomFile(path, sizeBytes, signal);
  return { origin: owned.add('origin', await LocalOrigin.start(path)), sha256 };
}

async function stateDirectory(named: string | undefined, owned: Owned): Promise<string> {
  if (named !== undefined) {
    const longest = daemonSocket(join(resolve(named), `peer-${maxPeers}`));
    if (Buffer.byteLength(longest) > maxSocketPathBytes)
      throw new DragonflyError('INVALID_ARGUMENT', `${named} is too long: sockets in it cannot have such a path`, {
        hint: `Choose a directory whose path has at most ${maxSocketPathBytes - Buffer.byteLength(longest) + Buffer.byteLength(resolve(named))} bytes.`,
      });
    makeDirectory(named);
    return resolve(named);
  }
  // In the system's temporary directory, because a socket's path may have 107 bytes at most.
  const directory = await mkdtemp(join(tmpdir(), 'dragonfly-up-'));
  owned.defer('state directory', () => rm(directory, { recursive: true, force: true, maxRetries: 3 }));
  return directory;
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = aborted(signal).then((): never => {
    throw new DragonflyError('CANCELLED', 'stopped before it was done');
  });
  return Promise.race([work, stopped]);
}

/** Undefined when help was requested and printed. Throws INVALID_ARGUMENT. */
function parseArguments(argv: readonly string[], io: CommandIo): UpOptions | undefined {
  const parser = new ArgumentParser('dragonfly up')
    .description('Starts a cluster on this machine, gives one file to all of its nodes at once and shows the receipt.')
    .argument('[url]', 'what to download; by default a file of random bytes from an origin of its own')
    .option('--peers <number>', 'peers beside the seed peer', '3')
    .option('--size <size>', 'length of the random file', '200MiB')
    .option('--once', 'end after the receipt, with exit code 0 only when everything is right')
    .option('--directory <path>', 'keep the state here; by default in a temporary directory, removed at the end')
    .exitOverride()
    .configureOutput({ writeOut: (text) => void io.stdout.write(text), writeErr: () => undefined });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return undefined;
    throw usageError(error, 'Run "dragonfly up --help" for the arguments.');
  }
  const given = parser.opts<{ peers: string; size: string; once?: boolean; directory?: string }>();
  const peers = Number(given.peers);
  if (!Number.isInteger(peers) || peers < 1 || peers > maxPeers) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${given.peers}" is not a number of peers`, {
      hint: `Choose 1 to ${maxPeers}.`,
    });
  }
  const [url] = parser.args;
  if (url !== undefined && !URL.canParse(url)) {
    throw new DragonflyError('INVALID_ARGUMENT', `"${url}" is not a URL`, {
      hint: 'Write it with its scheme: https://…',
    });
  }
  const { once = false, directory } = given;
  return { url, peers, sizeBytes: parseBytes(given.size), once, directory };
}
