/** Content, ids and directories for tests of the store and of what is built on it. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ErrorCode } from '../../src/core/errors.ts';
import { DragonflyError } from '../../src/core/errors.ts';
import type { StoredTask } from '../../src/dfdaemon/storage/stored-task.ts';

/** A directory of mode 0700 that goes with the test. */
export function scratchDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'dragonfly-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function taskIdOf(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

/** Bytes that differ from place to place and from seed to seed, so that a misplaced block shows. */
export function contentBytes(length: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed + 1) * 2_654_435_769;
  for (let index = 0; index < words.length; index += 1) {
    state = Math.imul(state ^ (state >>> 15), 2_246_822_519) + index;
    words[index] = state;
  }
  return Buffer.from(words.buffer, 0, length);
}

interface StoreContentOptions {
  readonly pieceLengthBytes: number;
  readonly order?: readonly number[];
}

/** Writes the content through the task's writers and finishes it. */
export async function storeContent(task: StoredTask, content: Buffer, options: StoreContentOptions): Promise<void> {
  const { pieceLengthBytes } = options;
  task.setLayout({ contentLengthBytes: content.length, pieceLengthBytes });
  const order = options.order ?? Array.from({ length: task.layout?.pieceCount ?? 0 }, (_, number) => number);
  for (const number of order) {
    const writer = task.writePiece(number);
    const bytes = content.subarray(number * pieceLengthBytes, (number + 1) * pieceLengthBytes);
    try {
      for (let at = 0; at < bytes.length; at += 2 ** 20) await writer.write(bytes.subarray(at, at + 2 ** 20));
      await writer.commit({ source: 'origin', costMs: 1 });
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }
  task.finish();
}

export function hasCode(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof DragonflyError && error.code === code;
}
