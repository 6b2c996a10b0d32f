/**
 * `dfget URL -O FILE`: a thin client of the dfdaemon of this node.
 *
 * Which side writes the file depends on the user: a daemon of the same user places it (link, reflink or copy), any other sends the
 * bytes and dfget writes them, so that a file always has the owner and the rights of the caller. Without a daemon, or
 * when it fails, dfget reads from the origin directly unless that is disabled, and says so.
 */
import { basename, join } from 'node:path';
import type { Command, CommandIo } from '../../core/process/command.ts';
import { DragonflyError, toDragonflyError, type ErrorCode } from '../../core/errors.ts';
import { makeDirectory } from '../../core/files/make-directory.ts';
import { outputTarget } from '../../core/files/output-file.ts';
import { findDaemon, requireDaemon, type DaemonEndpoint } from '../daemon-endpoint.ts';
import type { BundleTarget } from './bundle.ts';
import type { ListDirectory } from './directory.ts';
import type { FileDownload, FileResult } from './download.ts';
import { parseDfgetOptions, type DfgetOptions } from './options.ts';
import type { OpenOrigins, Origins } from '../origin.ts';
import { FileSink, type ContentSink } from '../output-file.ts';
import { StreamSink } from '../output-stream.ts';
import { withOwnCredentials } from './own-credentials.ts';
import { ProgressBar } from './progress-bar.ts';
import { receiptJson, receiptText } from '../receipt-text.ts';

/** @param openOrigins how to read origins without a daemon; when absent, a missing daemon is an error. */
export function createDfget(openOrigins?: OpenOrigins): Command {
  return async (argv, io) => {
    const parsed = parseDfgetOptions(argv, io);
    if (!parsed) return 0;
    const options = await withOwnCredentials(parsed, io);
    const { timeoutMs, output, recursive, overwrite } = options;
    if (output !== undefined && !recursive) await outputTarget(output, overwrite);
    const deadline = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)];
    const endsMs = performance.now() + (timeoutMs ?? Infinity);
    const run = new DfgetRun({ options, io, openOrigins, signal: AbortSignal.any([io.signal, ...deadline]) });
    try {
      await run.download();
      return 0;
    } catch (error) {
      const over = performance.now() >= endsMs || deadline.some(({ aborted }) => aborted);
      throw explained(error, io, over ? timeoutMs : undefined);
    }
  };
}

export const runDfget: Command = createDfget();

/** With these errors the daemon is there but cannot work, while the origin may still be readable. The daemon's errors about the origin are final. */
const illDaemon: ReadonlySet<ErrorCode> = new Set(['DAEMON_UNREACHABLE', 'UNAVAILABLE', 'INTERNAL', 'STORAGE']);

interface DfgetRunOptions {
  readonly options: DfgetOptions;
  readonly io: CommandIo;
  readonly openOrigins: OpenOrigins | undefined;
  readonly signal: AbortSignal;
}

type DownloadOne = (file: FileDownload, path: string | undefined) => Promise<FileResult>;
type DownloadBundle = (
  download: FileDownload,
  target: Pick<BundleTarget, 'work' | 'directory' | 'onFile'>,
) => Promise<FileResult>;

class DfgetRun {
  readonly #options: DfgetOptions;
  readonly #io: CommandIo;
  readonly #openOrigins: OpenOrigins | undefined;
  readonly #signal: AbortSignal;
  #streamed = false;
  /** Files below a directory that are in their places. */
  readonly #written = new Set<string>();

  constructor({ options, io, openOrigins, signal }: DfgetRunOptions) {
    this.#options = options;
    this.#io = io;
    this.#openOrigins = openOrigins;
    this.#signal = signal;
  }

  async download(): Promise<void> {
    try {
      await this.#byDaemon(findDaemon(this.#options.endpoint, this.#io.env));
    } catch (error) {
      const failure = toDragonflyError(error);
      const { disableBackToSource } = this.#options;
      if (disableBackToSource || !this.#openOrigins || !illDaemon.has(failure.code) || this.#signal.aborted)
        throw failure;
      if (this.#streamed) throw failure; // bytes have gone to standard output and cannot be taken back
      this.#io.stderr.write(`dfget: ${failure.message}\ndfget: downloading from the origin instead, without P2P\n`);
      await using origins = await this.#openOrigins();
      await this.#byOrigin(origins);
    }
  }

  async #byDaemon(endpoint: DaemonEndpoint): Promise<void> {
    const { Channels } = await import('../../rpc/channels.ts');
    const { createClient } = await import('../../rpc/client.ts');
    const { DfdaemonDownloadDefinition } = await import('../../../gen/dfdaemon/v2/dfdaemon.ts');
    const { downloadInPlace, downloadToSink } = await import('./download.ts');
    await using channels = new Channels();
    await requireDaemon(channels, endpoint, this.#signal);
    const client = createClient(DfdaemonDownloadDefinition, channels, endpoint.address);
    const { range, transfer } = this.#options;
    // Only a daemon of the same user may write to paths for us, because its rights are exactly ours.
    const places = !transfer && !range && endpoint.ownerUid === process.geteuid?.();
    const { listByDaemon } = await import('./directory.ts');
    const { overwrite } = this.#options;
    const bundle: DownloadBundle = async (download, target) => {
      const { downloadBundle } = await import('./bundle.ts');
      const openSink = (path: string): Promise<ContentSink> => this.#sink(path);
      return downloadBundle(client, download, { ...target, readsStore: places, overwrite, openSink });
    };
    const one: DownloadOne = async (file, path) => {
      const target = places && path !== undefined ? await outputTarget(path, this.#options.overwrite) : undefined;
      // A device or FIFO, such as /dev/fd/3, may belong to this process only.
      if (target?.kind === 'file') return downloadInPlace(client, target.path, file);
      await using sink = await this.#sink(path);
      return await downloadToSink(client, sink, file);
    };
    await this.#all(listByDaemon(client, this.#options), one, bundle);
  }

  async #byOrigin(origins: Origins): Promise<void> {
    const { downloadFromOrigin } = await import('./download.ts');
    const { listByOrigin } = await import('./directory.ts');
    await this.#all(listByOrigin(origins, this.#options), async (file, path) => {
      await using sink = await this.#sink(path);
      return await downloadFromOrigin(origins, sink, file);
    });
  }

  async #sink(outputPath: string | undefined): Promise<ContentSink> {
    const { digest, overwrite, forceHardLink } = this.#options;
    const onFirstByte = (): void => void (this.#streamed = true);
    if (outputPath === undefined) return new StreamSink(this.#io.stdout, digest, onFirstByte);
    const { kind, path } = await outputTarget(outputPath, overwrite);
    if (kind === 'file') return FileSink.create(path, { digest, overwrite });
    if (forceHardLink) throw new DragonflyError('OUTPUT', `the output ${path} is no file: it cannot be a hard link`);
    return StreamSink.toSpecial(path, { digest, onFirstByte, signal: this.#signal });
  }

  /** Downloads one file, or all files below a directory. */
  async #all(list: ListDirectory, downloadOne: DownloadOne, downloadBundle?: DownloadBundle): Promise<void> {
    const { url, recursive, output } = this.#options;
    if (!recursive) return this.#one(url, output, downloadOne);
    const { filesBelow } = await import('./directory.ts');
    const tree = await filesBelow(url, list, recursive, this.#signal);
    if (recursive.listOnly) {
      for (const file of tree.files) this.#io.stdout.write(`${file.url}\n`);
      return;
    }
    const directory = output ?? '.';
    makeDirectory(directory);
    const { downloadTree } = await import('./recursive.ts');
    const { files } = tree;
    using progress = this.#progress(`${files.length} files`);
    const options = this.#options;
    const work = { directory, options, concurrency: recursive.maxConcurrentRequests, signal: this.#signal };
    const left = files.filter(({ path }) => !this.#written.has(join(directory, path)));
    await downloadTree({ ...tree, files: left }, work, {
      file: (file, path, signal) => downloadOne({ url: file.url, options, progress, signal }, path),
      bundle:
        downloadBundle &&
        ((bundle, onFile, signal) =>
          downloadBundle({ url, options, progress, signal }, { work: bundle, directory, onFile })),
      onFile: (path) => {
        this.#written.add(path);
        progress.label = `${this.#written.size}/${files.length} files`;
      },
      onResult: (result) => this.#tell(result),
      onFallBack: ({ message }, count) =>
        this.#io.stderr.write(`dfget: ${message}\ndfget: downloading ${count} files one by one instead\n`),
    });
  }

  async #one(url: string, path: string | undefined, downloadOne: DownloadOne): Promise<void> {
    let result: FileResult;
    {
      using progress = this.#progress(basename(path ?? new URL(url).pathname).slice(0, 30));
      result = await downloadOne({ url, options: this.#options, progress, signal: this.#signal }, path);
    }
    this.#tell(result);
  }

  #progress(label: string): ProgressBar {
    return new ProgressBar(this.#io.stderr, { label, visible: this.#options.progress });
  }

  #tell(result: FileResult): void {
    const { receipt, output } = this.#options;
    if (receipt === undefined) return;
    const text = receipt === 'json' ? `${receiptJson(result)}\n` : receiptText(result);
    (output === undefined ? this.#io.stderr : this.#io.stdout).write(text);
  }
}

/**
 * Ctrl-C and the deadline end streams with various errors; the user sees one message. @param timeoutMs the expired
 * deadline; undefined when none has expired.
 */
function explained(error: unknown, io: CommandIo, timeoutMs: number | undefined): unknown {
  if (io.signal.aborted) return new DragonflyError('CANCELLED', 'the download was cancelled', { cause: error });
  const failure = toDragonflyError(error);
  if (failure.code !== 'DEADLINE_EXCEEDED' || timeoutMs === undefined) return failure;
  return new DragonflyError('DEADLINE_EXCEEDED', `the download did not end within ${timeoutMs / 1000} s`, {
    cause: error,
    hint: 'Give it more time with --timeout.',
  });
}
