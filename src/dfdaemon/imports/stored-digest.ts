/** The digest of what is stored, from its bytes on the disk. */
import { createReadStream } from 'node:fs';
import { DigestStream, type Digest } from '../../core/digest.ts';
import type { StoredTask } from '../storage/stored-task.ts';

const readBlockBytes = 2 ** 20;

/** Reads all of it. */
export async function storedDigest(
  stored: StoredTask,
  algorithm: Digest['algorithm'],
  signal: AbortSignal,
): Promise<Digest> {
  using _pin = stored.pin();
  const stream = new DigestStream(algorithm);
  for await (const block of createReadStream(stored.content.path, { highWaterMark: readBlockBytes, signal }))
    stream.update(block as Buffer);
  return stream.finish();
}
