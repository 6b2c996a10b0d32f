/** Files of random but repeatable content, and their digests. */
import { createCipheriv, createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

export interface RandomFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

const chunkBytes = 2 ** 20;

/** The same seed and size give the same bytes: a key stream, which no file system or link can compress. */
export async function makeRandomFile(path: string, sizeBytes: number, seed = path): Promise<RandomFile> {
  const key = createHash('sha256').update(seed).digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  const hash = createHash('sha256');
  const zeros = Buffer.alloc(chunkBytes);
  await using file = await open(path, 'w');
  for (let offset = 0; offset < sizeBytes; offset += chunkBytes) {
    const chunk = stream.update(zeros.subarray(0, Math.min(chunkBytes, sizeBytes - offset)));
    hash.update(chunk);
    await file.writeFile(chunk);
  }
  return { path, sizeBytes, sha256: hash.digest('hex') };
}

/** SHA-256 of a file as lower-case hex. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: chunkBytes })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
