/** `dragonfly subscribe NAME --to PATH`: keeps the newest version of a name in a directory, which always switches as a whole. */
import { setTimeout as delay } from 'node:timers/promises';
import { Command as Parser, CommanderError } from 'commander';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { readRequiredKey } from '../../core/credentials/release-signature.ts';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import { resolve } from 'node:path';
import { usageError } from '../../core/usage-error.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import { requireName, requireVersion } from '../../swarm/releases/names.ts';
import { connectDaemon } from '../daemon-connection.ts';
import { ProgressBar } from '../dfget/progress-bar.ts';
import { ReleaseDaemon } from '../releases/release-daemon.ts';
import { maxTimeoutMs, parseTimeoutMs } from '../timeout-flag.ts';
import { loadComingPacks } from './coming-packs.ts';
import { newest } from './newest.ts';
import { Subscription } from './subscription.ts';

interface SubscribeFlags {
  readonly to: string;
  readonly version?: string;
  readonly once?: boolean;
  readonly keep: string;
  readonly exec?: string;
  readonly execTimeout: string;
  readonly require: readonly string[];
  readonly endpoint?: string;
  readonly progress: boolean;
}

const mostKept = 100;

export const runSubscribe: Command = async (argv, io) => {
  let work: (() => Promise<number>) | undefined;
  const parser = new Parser('dragonfly subscribe')
    .description(
      'Follows the versions of a name: each one that is published is here, verified, and in use as soon as it can be.',
    )
    .argument('<name>', 'of the published directory')
    .requiredOption('--to <path>', 'becomes a symbolic link to the version in use; versions lie in PATH.versions')
    .option(
      '--version <version>',
      'switches to this version, and ends; the next one that is published is followed again',
    )
    .option('--once', 'switches to the newest version, and ends')
    .option('--keep <number>', 'versions that stay here: the one in use, and those in use before it', '3')
    .option(
      '--exec <command>',
      'shell command after every switch, with DRAGONFLY_DIRECTORY, _VERSION, _NAME, _LINK set',
    )
    .option('--exec-timeout <duration>', 'how long it may run, 0 for no limit', '10m')
    .option('--require <file>', 'Ed25519 public key (PEM) that must have signed it; may be repeated', append, [])
    .option('-e, --endpoint <path>', 'unix socket of the dfdaemon')
    .option('--no-progress', 'no progress bar; without a terminal there is none anyway')
    .configureHelp({ minWidthToWrap: 20 })
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.stdout.write(text), writeErr: () => undefined })
    .action((name: string, flags: SubscribeFlags) => {
      work = () => subscribe(name, flags, io);
    });
  try {
    parser.parse(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    throw usageError(error, 'Run "dragonfly subscribe --help".');
  }
  return work ? work() : 2;
};

function append(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

async function subscribe(name: string, flags: SubscribeFlags, io: CommandIo): Promise<number> {
  requireName(name);
  if (flags.version !== undefined) requireVersion(flags.version);
  const keep = /^\d{1,9}$/.test(flags.keep) ? Number(flags.keep) : 0;
  if (keep < 1 || keep > mostKept)
    throw new DragonflyError('INVALID_ARGUMENT', `"${flags.keep}" is not a valid value of --keep`, {
      hint: `Write a whole number from 1 to ${mostKept}.`,
    });
  const timeoutMs = parseTimeoutMs(flags.execTimeout) ?? maxTimeoutMs;
  const requiredKeys = await Promise.all(flags.require.map(readRequiredKey));
  await using connection = await connectDaemon(flags.endpoint, io);
  const daemon = new ReleaseDaemon(connection);
  const { signal } = io;
  using progress = new ProgressBar(io.stderr, { label: name.slice(0, 30), visible: flags.progress });
  const subscription = new Subscription({
    daemon,
    name,
    path: resolve(flags.to),
    keep,
    requiredKeys,
    hook: flags.exec === undefined ? undefined : { command: flags.exec, timeoutMs },
    env: io.env,
    onExpect: (bytes) => progress.expect(bytes),
    onBytes: (bytes) => progress.advance(bytes),
    onSwitched: ({ version }) => io.stdout.write(`Done: ${name}@${version}\n`),
    signal,
  });
  if (flags.version === undefined && flags.once !== true) {
    const coming = loadComingPacks({ daemon, name, requiredKeys, signal });
    const code = await follow(name, { daemon, subscription, io });
    await coming;
    return code;
  }
  const latest = await daemon.release(name, undefined, signal);
  const wanted = flags.version === undefined ? latest : await daemon.release(name, flags.version, signal);
  await subscription.take(wanted ?? missing(name, flags.version), latest?.id);
  return 0;
}

/** Ends only when the signal aborts. Failures are printed, and retried. */
async function follow(
  name: string,
  {
    daemon,
    subscription,
    io,
  }: { readonly daemon: ReleaseDaemon; readonly subscription: Subscription; readonly io: CommandIo },
): Promise<number> {
  const { signal } = io;
  let afterId = await subscription.followed();
  for (let failures = 1; !signal.aborted; failures += 1) {
    const attempt = new AbortController();
    const ends = AbortSignal.any([signal, attempt.signal]);
    try {
      await subscription.resume();
      for await (const release of newest(daemon.releases.watchReleases({ name, afterId }, { signal: ends }))) {
        await subscription.take(release);
        afterId = release.id;
        failures = 0;
      }
    } catch (error) {
      if (signal.aborted) break;
      const { message } = toDragonflyError(error);
      io.stderr.write(`dragonfly subscribe: ${message}; trying again\n`);
    } finally {
      attempt.abort(); // ends the stream, which may be waiting for the next version
    }
    await delay(backOffMs(failures), undefined, { signal }).catch(() => undefined);
  }
  return 0;
}

function missing(name: string, version: string | undefined): never {
  const what = version === undefined ? `no version of ${name} is published` : `${name}@${version} is not published`;
  throw new DragonflyError('NOT_FOUND', what, { hint: 'See the versions at the manager, or publish one.' });
}
