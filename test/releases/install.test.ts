/** A version is put together on real files; what packs bring and what lies on the disk may be wrong. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { install, isIntact } from '../../src/cli/subscribe/install.ts';
import { assemble } from '../../src/swarm/releases/assemble.ts';
import type { ChunkPlace } from '../../src/swarm/releases/fetch-plan.ts';
import type { Manifest } from '../../src/swarm/releases/manifest.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';

const sizes = { minBytes: 8192, averageBytes: 32_768, maxBytes: 131_072 };
const parts = ['one', 'two', 'three'].map((text) => Buffer.alloc(10_000, text));
const pack = Buffer.concat(parts);
const file = Buffer.concat([...parts, ...parts.slice(0, 1)]);
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

function manifestOf(digest = sha256(file)): Manifest {
  return assemble({
    name: 'model',
    version: 'v1',
    sizes,
    mode: 0o755,
    packs: [{ taskId: 'a'.repeat(64), sha256: sha256(pack), lengthBytes: pack.length, expiresMs: 0 }],
    chunks: parts.map((bytes, at) => ({ sha256: sha256(bytes), pack: 0, offset: at * 10_000, lengthBytes: 10_000 })),
    entries: [
      { kind: 'directory', path: 'd', mode: 0o500 },
      { kind: 'file', path: 'd/f', mode: 0o640, lengthBytes: file.length, sha256: digest, chunks: [0, 1, 2, 0] },
      { kind: 'link', path: 'l', target: 'd/f' },
    ],
  });
}

interface Built {
  readonly target: string;
  readonly fetched: number;
}

async function build(
  directory: TemporaryDirectory,
  {
    manifest = manifestOf(),
    bytes = pack,
    local = () => undefined,
  }: {
    manifest?: Manifest;
    bytes?: Buffer;
    local?: (digest: string) => ChunkPlace | undefined;
  },
): Promise<Built> {
  const target = directory.join('tree');
  await mkdir(target);
  let fetched = 0;
  await install({
    manifest,
    target,
    scratch: directory.path,
    local,
    fetch: async (_taskId, path) => {
      fetched += 1;
      await writeFile(path, bytes);
    },
    onBytes: () => undefined,
    signal: AbortSignal.timeout(30_000),
  });
  return { target, fetched };
}

describe('what a version is put together of', () => {
  test('packs make files, with their rights', async () => {
    await using directory = await temporaryDirectory();
    const { target } = await build(directory, {});
    assert.deepEqual(await readFile(join(target, 'l')), file);
    assert.equal((await stat(join(target, 'd/f'))).mode & 0o777, 0o640);
    assert.equal((await stat(join(target, 'd'))).mode & 0o777, 0o500);
    assert.equal(await isIntact(manifestOf(), target, AbortSignal.timeout(10_000)), true);
    await writeFile(join(target, 'd/f'), Buffer.concat([file.subarray(1), Buffer.from('x')]));
    assert.equal(await isIntact(manifestOf(), target, AbortSignal.timeout(10_000)), false);
  });

  test('one changed bit in a pack is noticed', async () => {
    for (const at of [0, 10_000, pack.length - 1]) {
      await using directory = await temporaryDirectory();
      const bytes = Buffer.from(pack);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await assert.rejects(build(directory, { bytes }), { code: 'DIGEST_MISMATCH', message: /^chunk \d of model@v1/ });
    }
  });

  test('a pack that ends early, and a manifest that contradicts itself, are noticed', async () => {
    await using short = await temporaryDirectory();
    await assert.rejects(build(short, { bytes: pack.subarray(0, 25_000) }), { code: 'DIGEST_MISMATCH' });
    await using wrong = await temporaryDirectory();
    await assert.rejects(build(wrong, { manifest: manifestOf('0'.repeat(64)) }), { code: 'DIGEST_MISMATCH' });
  });

  test('what is here is not fetched; what was changed here, cut off or deleted is', async () => {
    for (const [content, fetches] of [
      [pack, 0],
      [Buffer.alloc(pack.length), 1],
      [pack.subarray(0, 15_000), 1],
      [undefined, 1],
    ] as const) {
      await using directory = await temporaryDirectory();
      const old = directory.join('old');
      if (content) await writeFile(old, content);
      const places = new Map(parts.map((bytes, at) => [sha256(bytes), { file: old, offset: at * 10_000 }]));
      const { target, fetched } = await build(directory, { local: (digest) => places.get(digest) });
      assert.deepEqual([await readFile(join(target, 'd/f')), fetched], [file, fetches]);
    }
  });
});
