/** `dragonfly publish DIR NAME@VERSION`: turns a directory into a version that every subscriber of the name gets. */
import { realpath } from 'node:fs/promises';
import { Command as Parser, CommanderError } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { readSigningKey } from '../../core/credentials/release-signature.ts';
import { DragonflyError } from '../../core/errors.ts';
import { formatBytes, parseDurationMs } from '../../core/units.ts';
import { usageError } from '../../core/usage-error.ts';
import { version } from '../../core/version.ts';
import type { Release } from '../../../gen/manager/v2/release.ts';
import { parseReference } from '../../swarm/releases/names.ts';
import { connectDaemon } from '../daemon-connection.ts';
import { ProgressBar } from '../dfget/progress-bar.ts';
import { ReleaseDaemon } from '../releases/release-daemon.ts';
import { makeScratch } from '../releases/scratch.ts';

interface PublishFlags {
  readonly replicas: string;
  readonly ttl: string;
  readonly sign?: string;
  readonly scratch?: string;
  readonly endpoint?: string;
  readonly progress: boolean;
  readonly json?: boolean;
}

const maxReplicas = 5;
const [minTtlMs, maxTtlMs] = [3_600_000, 900 * 86_400_000];
/** On a disk, while /tmp is often in memory. */
const defaultScratch = '/var/tmp';

export const runPublish: Command = async (argv, io) => {
  let work: (() => Promise<number>) | undefined;
  const parser = new Parser('dragonfly publish')
    .description(
      'Publishes a directory as a version that all subscribers of the name get, at the cost of what is new in it.',
    )
    .version(`dragonfly publish ${version}`, '-V, --version')
    .argument('<directory>', 'what to publish: files, directories and symbolic links that stay inside')
    .argument('<name@version>', 'as llama@v7; a version never changes')
    .option('--replicas <number>', `nodes that are to hold it before it counts, 1 to ${maxReplicas}`, '2')
    .option('--ttl <duration>', 'how long it stays, 1h to 900d', '30d')
    .option('--sign <file>', 'Ed25519 private key (PEM); from then on versions of the name need this key')
    .option('--scratch <directory>', 'where packs are made on their way, TMPDIR or /var/tmp by default')
    .option('-e, --endpoint <path>', 'unix socket of the dfdaemon')
    .option('--no-progress', 'no progress bar; without a terminal there is none anyway')
    .option('--json', 'what was published as JSON')
    .configureHelp({ minWidthToWrap: 20 })
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined })
    .action((directory: string, reference: string, flags: PublishFlags) => {
      work = () => publish(directory, reference, { flags, io });
    });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw usageError(error, 'Run "dragonfly publish --help".');
  }
  return work ? work() : 2;
};

async function publish(
  directory: string,
  text: string,
  { flags, io }: { readonly flags: PublishFlags; readonly io: CommandIo },
): Promise<number> {
  const reference = parseReference(text);
  const { replicas, ttlMs } = numbersOf(flags);
  const signingKey = flags.sign === undefined ? undefined : await readSigningKey(flags.sign);
  const root = await realpath(directory).catch((cause: unknown) => {
    throw new DragonflyError('INVALID_ARGUMENT', `there is no directory ${directory}`, { cause });
  });
  await using connection = await connectDaemon(flags.endpoint, io);
  await using scratch = await makeScratch(flags.scratch ?? (io.env['TMPDIR'] || defaultScratch));
  using progress = new ProgressBar(io.stderr, { label: text.slice(0, 30), visible: flags.progress });
  const { publishDirectory } = await import('./publication.ts');
  const release = await publishDirectory({
    daemon: new ReleaseDaemon(connection),
    root,
    reference,
    replicas,
    ttlMs,
    signingKey,
    scratch: scratch.path,
    onExpect: (bytes) => progress.expect(bytes),
    onRead: (bytes) => progress.advance(bytes),
    signal: io.signal,
  });
  io.stdout.write(flags.json === true ? `${JSON.stringify(release)}\n` : sentenceOf(release));
  return 0;
}

/** Throws INVALID_ARGUMENT. */
function numbersOf(flags: PublishFlags): { readonly replicas: number; readonly ttlMs: number } {
  const replicas = /^\d{1,9}$/.test(flags.replicas) ? Number(flags.replicas) : 0;
  if (replicas < 1 || replicas > maxReplicas)
    throw new DragonflyError('INVALID_ARGUMENT', `"${flags.replicas}" is not a valid value of --replicas`, {
      hint: `Write a whole number from 1 to ${maxReplicas}.`,
    });
  const ttlMs = parseDurationMs(flags.ttl);
  if (!(ttlMs >= minTtlMs && ttlMs <= maxTtlMs))
    throw new DragonflyError('INVALID_ARGUMENT', `"${flags.ttl}" is not a valid value of --ttl`, {
      hint: 'Write a time from 1h to 900d.',
    });
  return { replicas, ttlMs };
}

function sentenceOf({
  name,
  version: published,
  contentLength,
  newLength,
  fileCount,
  replicas,
  expiresAt,
}: Release): string {
  const until = expiresAt?.toISOString().slice(0, 16).replace('T', ' ') ?? '';
  const files = `${fileCount} ${fileCount === 1 ? 'file' : 'files'}`;
  return `Done: ${name}@${published}, ${formatBytes(contentLength)} in ${files}, ${formatBytes(newLength)} of it new, on ${replicas} nodes until ${until} UTC\n`;
}
