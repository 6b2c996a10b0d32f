/**
 * Writes imported content to a file: the daemon does it when it runs as the same user, otherwise this process. As with dfget, the
 * output is either complete or untouched.
 */
import { basename } from 'node:path';
import type { CommandIo } from '../../core/process/command.ts';
import { parseDigest } from '../../core/digest.ts';
import { DragonflyError } from '../../core/errors.ts';
import { outputTarget } from '../../core/files/output-file.ts';
import type { Piece } from '../../../gen/common/v2/common.ts';
import { connectDaemon, type DaemonConnection } from '../daemon-connection.ts';
import { ProgressBar } from '../dfget/progress-bar.ts';
import { FileSink, type ContentSink } from '../output-file.ts';
import { StreamSink } from '../output-stream.ts';
import type { CommonFlags } from './flags.ts';

export interface PlaceFlags extends CommonFlags {
  readonly output?: string;
  readonly transferFromDfdaemon?: boolean;
  readonly overwrite?: boolean;
  readonly forceHardLink?: boolean;
  readonly digest?: string;
}

/** How the daemon is asked for the content. */
export interface Wanted {
  readonly outputPath?: string;
  readonly needPieceContent?: boolean;
  readonly overwrite?: boolean;
  readonly forceHardLink?: boolean;
}

/** The length first, then pieces. */
export type Told = { readonly lengthBytes: number } | { readonly piece: Piece };

/** Throws INVALID_ARGUMENT, OUTPUT, and the daemon's errors. */
export async function placeContent(
  flags: PlaceFlags,
  io: CommandIo,
  download: (daemon: DaemonConnection, wanted: Wanted) => AsyncIterable<Told>,
): Promise<void> {
  const { output, overwrite = false, forceHardLink = false } = flags;
  if (output === undefined)
    throw new DragonflyError('INVALID_ARGUMENT', 'there is no output', { hint: 'Name a file with -O.' });
  const digest = flags.digest === undefined ? undefined : parseDigest(flags.digest);
  const target = await outputTarget(output, overwrite);
  await using daemon = await connectDaemon(flags.endpoint, io);
  using progress = new ProgressBar(io.stderr, { label: basename(target.path).slice(0, 30), visible: flags.progress });
  const places = flags.transferFromDfdaemon !== true && daemon.endpoint.ownerUid === process.geteuid?.();
  const way = { overwrite, forceHardLink };
  if (target.kind === 'file' && places)
    return await receive(download(daemon, { ...way, outputPath: target.path }), { progress });
  if (forceHardLink)
    throw new DragonflyError('OUTPUT', `${target.path} cannot be a hard link: this user writes it himself`, {
      hint: 'Leave out --force-hard-link.',
    });
  const onFirstByte = (): void => undefined;
  await using sink =
    target.kind === 'file'
      ? await FileSink.create(target.path, { digest, overwrite })
      : await StreamSink.toSpecial(target.path, { digest, onFirstByte, signal: io.signal });
  await receive(download(daemon, { ...way, needPieceContent: true }), { progress, sink });
}

/** @param sink used when the daemon does not write the file */
export async function receive(
  told: AsyncIterable<Told>,
  { progress, sink }: { readonly progress?: ProgressBar; readonly sink?: ContentSink },
): Promise<void> {
  let lengthBytes = 0;
  let received = 0;
  for await (const news of told) {
    if ('lengthBytes' in news) {
      ({ lengthBytes } = news);
      progress?.expect(lengthBytes);
      continue;
    }
    const { content, offset, length } = news.piece;
    if (sink && content?.length !== length)
      throw new DragonflyError('PROTOCOL', 'the dfdaemon sent a piece without its content');
    if (sink && content) await sink.write(offset, Buffer.from(content.buffer, content.byteOffset, content.length));
    received += length;
    progress?.advance(length);
  }
  if (received !== lengthBytes)
    throw new DragonflyError('PROTOCOL', `the dfdaemon sent ${received} of ${lengthBytes} bytes`, {
      hint: 'Try again.',
    });
  await sink?.finish(lengthBytes);
}
