/**
 * The hashes of the Xet protocol as specified: BLAKE3 with one key for the data of chunks and another for the nodes
 * above them. The root over a xorb's chunks in order names the xorb; hashed once more with another key, a root names a
 * file.
 */
import { Blake3Hasher } from '@napi-rs/blake-hash';

export const hashBytes = 32;

/** Hashes of consecutive chunks, and the length of each chunk's data. */
export interface ChunkHashes {
  readonly hashes: Uint8Array;
  readonly lengths: Uint32Array;
}

const dataKey = Buffer.from('6697f5775b9550de3135cbaca597181c9de421109beb2b58b4d0b04b93adf229', 'hex');
const nodeKey = Buffer.from('017ec5c7a5472996fd946666b48a02e65ddd536f37c76dd2f86352e64a53713f', 'hex');
const fileKey = Buffer.alloc(hashBytes);

/** Children of a node: it ends after one whose hash is divisible by four, and has two to nine. */
const fewestChildren = 2;
const mostChildren = 9;

export function chunkHash(data: Buffer): Buffer {
  return keyed(dataKey, data);
}

/** The protocol's name of a xorb of these chunks. There is at least one. */
export function xorbHash({ hashes, lengths }: ChunkHashes): Buffer {
  let level: Node[] = Array.from(lengths, (length, index) => ({
    hash: Buffer.from(hashes.subarray(index * hashBytes, (index + 1) * hashBytes)),
    length,
  }));
  while (level.length > 1) {
    const above: Node[] = [];
    for (let start = 0; start < level.length;) {
      const end = start + childrenFrom(level, start);
      above.push(parentOf(level.slice(start, end)));
      start = end;
    }
    level = above;
  }
  return level[0]?.hash ?? Buffer.alloc(hashBytes);
}

/** The protocol's name of a file of these chunks. */
export function fileHash(chunks: ChunkHashes): Buffer {
  return keyed(fileKey, xorbHash(chunks));
}

/** As hashes are written in URLs and in JSON: four numbers of 64 bits, each with its highest byte first. */
export function hexOf(hash: Uint8Array): string {
  return Buffer.from(hash.subarray(0, hashBytes)).swap64().toString('hex');
}

interface Node {
  readonly hash: Buffer;
  readonly length: number;
}

function childrenFrom(level: readonly Node[], start: number): number {
  const left = level.length - start;
  if (left <= fewestChildren) return left;
  const most = Math.min(mostChildren, left);
  for (let index = fewestChildren; index < most; index += 1) {
    const last = level[start + index]?.hash[24] ?? 1;
    if (last % 4 === 0) return index + 1;
  }
  return most;
}

function parentOf(children: readonly Node[]): Node {
  const lines = children.map(({ hash, length }) => `${hexOf(hash)} : ${length}\n`).join('');
  return {
    hash: keyed(nodeKey, Buffer.from(lines)),
    length: children.reduce((sum, { length }) => sum + length, 0),
  };
}

function keyed(key: Buffer, data: Buffer): Buffer {
  return Blake3Hasher.newKeyed(key).update(data).digestBuffer();
}
