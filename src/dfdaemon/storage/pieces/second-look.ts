/**
 * Reads pieces again before a download is reported as finished, if somebody else has written to its file meanwhile:
 * each must still have the CRC it had when it landed. Content without a digest is read at no other time.
 */
import { crc32 } from '../../../core/crc32.ts';
import { readFully } from '../content-file.ts';
import { mostLooks, secondLookBytes, verifyBlockBytes } from '../limits.ts';
import type { PieceRecord } from '../metadata.ts';
import type { StoredTask } from '../stored-task.ts';

export interface LookOptions {
  /** Whether a read there would find its bytes in memory. Bytes that are only on the disk were not changed since they were written there. */
  readonly isCached?: ((fd: number, offset: number) => boolean) | undefined;
  readonly signal: AbortSignal;
}

/**
 * Pieces that are not as they were written. Reads a bounded number of bytes, only those in memory, and none while
 * nobody else has written. Rejects with the signal's reason, and as ContentFile.with.
 */
export async function corruptPieces(
  task: StoredTask,
  { isCached, signal }: LookOptions,
): Promise<readonly PieceRecord[]> {
  const corrupt: PieceRecord[] = [];
  for (let look = 1; corrupt.length === 0 && look <= mostLooks && task.content.takeForeignWrites(); look += 1) {
    const block = Buffer.allocUnsafe(verifyBlockBytes);
    await task.content.with(async (fd) => {
      let budget = secondLookBytes;
      for (const record of task.pieceRecords()) {
        signal.throwIfAborted();
        if (record.length > budget) continue;
        budget -= record.length;
        const isReadable = isCached?.(fd, record.offset + record.length - 1) !== false;
        if (isReadable && !(await isIntact(fd, record, block))) corrupt.push(record);
      }
    });
  }
  return corrupt;
}

/** False also when the disk can no longer read the piece. */
export async function isIntact(fd: number, record: PieceRecord, block: Buffer): Promise<boolean> {
  try {
    let crc = 0;
    for (let done = 0; done < record.length;) {
      const part = block.subarray(0, Math.min(block.length, record.length - done));
      const count = await readFully(fd, part, record.offset + done);
      if (count < part.length) return false;
      crc = crc32(part, crc);
      done += count;
    }
    return crc === record.crc32;
  } catch {
    return false;
  }
}
