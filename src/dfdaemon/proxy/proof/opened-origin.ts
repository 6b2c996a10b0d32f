/**
 * The client's own request, already answered, as the first thing a download reads from the origin: question and fetch in
 * one. Whoever does not take it lets it go.
 */
import type { IncomingMessage } from 'node:http';
import { DragonflyError } from '../../../core/errors.ts';
import { contentHeader } from '../../source/http/http-head.ts';
import type { SourceBody } from '../../source/source.ts';
import type { OpenedOrigin } from '../../task/open-task.ts';
import { letGo, type OriginAnswer } from './question.ts';
import type { Representation } from './representation.ts';

/** Where the bytes lie in the whole, stored with content that is a part of it. */
export const partField = 'x-dragonfly-part';

export class AnsweredRequest implements OpenedOrigin {
  readonly #answer: OriginAnswer;
  readonly #representation: Representation;
  #taken = false;

  /** @param answer 200 with the whole content, or 206 with a part that is stored as content of its own */
  constructor(answer: OriginAnswer, representation: Representation) {
    this.#answer = answer;
    this.#representation = representation;
  }

  /** Once: the body from its first byte. */
  take(): SourceBody | undefined {
    const { message, first, header, statusCode } = this.#answer;
    const isPart = statusCode === 206;
    if (this.#taken || message.destroyed) return undefined;
    this.#taken = true;
    if (message !== first) letGo(first);
    const { validator, lengthBytes } = this.#representation;
    return {
      contentLengthBytes: lengthBytes,
      lengthBytes,
      startBytes: 0,
      ranges: !isPart && /\bbytes\b/i.test(header['accept-ranges'] ?? ''),
      validator,
      header: { ...contentHeader(header), ...(isPart && { [partField]: header['content-range'] ?? '' }) },
      readTo: (sink) => readTo(message, lengthBytes, sink),
      cancel: () => void message.destroy(),
    };
  }

  /** The answer for the client itself, when no download wanted it. */
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
