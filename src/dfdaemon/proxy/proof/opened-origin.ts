/**
 * The client's own request, already answered, as the first thing that a download reads from the origin: question and
 * fetch in one. When the download does not take the answer, the owner releases it.
 */
import type { IncomingMessage } from 'node:http';
import type { ByteRange } from '../../../core/byte-range.ts';
import { DragonflyError } from '../../../core/errors.ts';
import { withoutChecksums } from '../../source/checksums.ts';
import { contentHeader } from '../../source/http/http-head.ts';
import type { SourceBody } from '../../source/source.ts';
import type { OpenedOrigin } from '../../task/open-task.ts';
import { letGo, type OriginAnswer } from './question.ts';
import type { Representation } from './representation.ts';

/** For content that is a part: where its bytes lie in the whole. */
export const partField = 'x-dragonfly-part';

export class AnsweredRequest implements OpenedOrigin {
  readonly #answer: OriginAnswer;
  readonly #representation: Representation;
  readonly #place: ByteRange | undefined;
  #taken = false;

  /**
   * @param answer 200 with the whole content, or 206 with a part that is stored as content of its own @param place of a
   * part that is stored as part of its whole
   */
  constructor(answer: OriginAnswer, representation: Representation, place?: ByteRange) {
    this.#answer = answer;
    this.#place = place;
    this.#representation = representation;
  }

  /** Returns the body from its first byte, once. */
  take(): SourceBody | undefined {
    const { message, first, header, statusCode } = this.#answer;
    if (this.#taken || message.destroyed) return undefined;
    const place = this.#place;
    const isPart = statusCode === 206 && !place;
    this.#taken = true;
    if (message !== first) letGo(first);
    const { validator, lengthBytes } = this.#representation;
    const bodyBytes = place?.length ?? lengthBytes;
    // Checksums of a part do not match the whole.
    const stored = contentHeader(place ? withoutChecksums(header) : header);
    return {
      contentLengthBytes: lengthBytes,
      lengthBytes: bodyBytes,
      startBytes: place?.start ?? 0,
      ranges: place !== undefined || (!isPart && /\bbytes\b/i.test(header['accept-ranges'] ?? '')),
      validator,
      header: { ...stored, ...(isPart && { [partField]: header['content-range'] ?? '' }) },
      readTo: (sink) => readTo(message, bodyBytes, sink),
      cancel: () => void message.destroy(),
    };
  }

  /** The answer for the client itself, when no download took it. */
  giveBack(): OriginAnswer | undefined {
    if (this.#taken || this.#answer.message.destroyed) return undefined;
    this.#taken = true;
    return this.#answer;
  }

  letGo(): void {
    if (!this.#taken) this.#answer.discard();
    this.#taken = true;
  }
}

async function readTo(
  message: IncomingMessage,
  lengthBytes: number,
  sink: (block: Buffer) => void | Promise<void>,
): Promise<void> {
  let received = 0;
  try {
    for await (const block of message) {
      received += (block as Buffer).length;
      await sink(block as Buffer);
    }
  } catch (error) {
    if (error instanceof DragonflyError) throw error;
    throw new DragonflyError('SOURCE_UNREACHABLE', 'the origin closed the connection', { cause: error });
  }
  if (received === lengthBytes) return;
  throw new DragonflyError('SOURCE_UNREACHABLE', `the answer ended after ${received} of ${lengthBytes} bytes`);
}
