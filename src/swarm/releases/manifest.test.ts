import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assemble } from './assemble.ts';
import { chunksOf, chunkTargets, packsOf, planFetch } from './fetch-plan.ts';
import { contentText, manifestText, parseManifest, type Chunk, type Manifest, type Pack } from './manifest.ts';
import { packsToRepack, packTargetBytes, reusableChunks } from './pack-plan.ts';

const sizes = { minBytes: 8192, averageBytes: 32_768, maxBytes: 131_072 };
const digest = (number: number): string => number.toString(16).padStart(64, '0');

function pack(number: number, lengthBytes: number, expiresMs = 1000): Pack {
  return { taskId: digest(number), sha256: digest(number + 1000), lengthBytes, expiresMs };
}

function example(): Manifest {
  const chunk = (number: number, at: number, offset: number): Chunk => ({
    sha256: digest(number),
    pack: at,
    offset,
    lengthBytes: 10,
  });
  return assemble({
    name: 'model',
    version: 'v1',
    sizes,
    mode: 0o755,
    packs: [pack(1, 30), pack(2, 999), pack(3, 20)],
    // The file is cut in this order; no chunk of the pack in the middle is used.
    chunks: [chunk(7, 2, 0), chunk(8, 0, 20), chunk(9, 0, 0), chunk(10, 2, 10)],
    entries: [
      { kind: 'directory', path: 'd', mode: 0o700 },
      { kind: 'file', path: 'd/a', mode: 0o644, lengthBytes: 30, sha256: digest(1), chunks: [0, 3, 0] },
      { kind: 'file', path: 'b', mode: 0o600, lengthBytes: 20, sha256: digest(2), chunks: [2, 1] },
      { kind: 'file', path: 'empty', mode: 0o600, lengthBytes: 0, sha256: digest(3), chunks: [] },
      { kind: 'link', path: 'l', target: 'd/a' },
    ],
  });
}

test('chunks stand as they lie in the packs, and files are runs of them', () => {
  const { packs, chunks, entries } = example();
  assert.deepEqual(packs, [pack(1, 30), pack(3, 20)]);
  assert.deepEqual(
    chunks.map(({ sha256, pack: at }) => [Number.parseInt(sha256, 16), at]),
    [
      [9, 0],
      [8, 0],
      [7, 1],
      [10, 1],
    ],
  );
  assert.deepEqual(
    entries.flatMap((entry) => (entry.kind === 'file' ? [entry.runs] : [])),
    [
      [
        [2, 2],
        [2, 1],
      ],
      [[0, 2]],
      [],
    ],
  );
});

test('what is written is what is read', () => {
  const manifest = example();
  assert.deepEqual(parseManifest(manifestText(manifest)), manifest);
});

test('a manifest that was changed anywhere is refused, or is one', () => {
  const text = manifestText(example());
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom(-1, 1e300, 2 ** 53, '', '..', '../x', '/x', null, [], {}));
  const paths = [...pathsOf(JSON.parse(text))];
  fc.assert(
    fc.property(fc.constantFrom(...paths), value, (path, changed) => {
      const copy = JSON.parse(text) as Record<string, unknown>;
      put(copy, path, changed);
      try {
        const parsed = parseManifest(JSON.stringify(copy));
        for (const entry of parsed.entries)
          if (entry.kind === 'file') [...chunksOf(entry, parsed.chunks)].forEach(({ chunk }) => assert.ok(chunk));
      } catch (error) {
        assert.equal((error as { code?: string }).code, 'PROTOCOL');
      }
    }),
    { numRuns: 2_000 },
  );
});

test('absurd numbers of chunks are refused before they are counted out', () => {
  const chunks = Array.from({ length: 1000 }, (_, index) => ({
    sha256: digest(index),
    pack: 0,
    offset: 0,
    lengthBytes: 1,
  }));
  const runs = Array.from({ length: 5000 }, () => [0, 1000] as const);
  const entry = { kind: 'file', path: 'a', mode: 0o600, lengthBytes: 5_000_000, sha256: digest(1), runs } as const;
  const text = manifestText({ ...example(), packs: [pack(1, 1)], chunks, entries: [entry] });
  assert.throws(() => parseManifest(text), { code: 'PROTOCOL', message: /more than 4000000 chunks/ });
});

test('the same content has the same text, however it was cut', () => {
  const one = example();
  const other = {
    ...one,
    entries: one.entries.map((entry) => (entry.kind === 'file' ? { ...entry, runs: [] } : entry)),
  };
  assert.equal(contentText(one), contentText({ ...other, entries: other.entries.toReversed() }));
  assert.notEqual(contentText(one), contentText({ ...one, mode: 0o700 }));
});

test('chunks that are here are copied, in one piece where they lie together; the others come with their packs', () => {
  const manifest = example();
  const here = new Map([
    [digest(9), { file: 'old', offset: 100 }],
    [digest(8), { file: 'old', offset: 110 }],
  ]);
  const plan = planFetch(manifest, (sha256) => here.get(sha256));
  assert.deepEqual(plan.copies, [
    { from: { file: 'old', offset: 100 }, to: { file: 'b', offset: 0 }, lengthBytes: 20 },
  ]);
  assert.deepEqual([...plan.packs], [[1, [2, 3]]]);
  assert.equal(plan.fetchedBytes, 20);
  assert.deepEqual(chunkTargets(manifest).get(2), [
    { file: 'd/a', offset: 0 },
    { file: 'd/a', offset: 20 },
  ]);
  assert.deepEqual(
    [...packsOf(manifest, new Set([3, 0])).packs],
    [
      [0, [0]],
      [1, [3]],
    ],
  );
});

test('packs that end too soon or have lost replicas are not used, those of which little is used are packed anew', () => {
  const { chunks, packs } = example();
  const usable = reusableChunks(
    { chunks, packs: [pack(1, 30, 500), pack(3, 20, 2000)] },
    { untilMs: 1000, isWhole: () => true },
  );
  assert.deepEqual([...usable.keys()], [digest(7), digest(10)]);
  const whole = reusableChunks({ chunks, packs }, { untilMs: 1000, isWhole: ({ taskId }) => taskId === digest(1) });
  assert.deepEqual([...whole.keys()], [digest(9), digest(8)]);
  assert.deepEqual([...packsToRepack(packs, chunks, 2 ** 24)], []);
  assert.deepEqual(
    [...packsToRepack([pack(1, 30), pack(3, 25)], [...chunks.slice(0, 2), chunks[2] as Chunk], 2 ** 24)],
    [1],
  );
  const many = Array.from({ length: 200 }, (_, index) => pack(index, index === 0 ? 2 ** 24 : 10));
  const all = many.map((_, index) => ({
    sha256: digest(index),
    pack: index,
    offset: 0,
    lengthBytes: many[index]?.lengthBytes ?? 0,
  }));
  assert.equal(packsToRepack(many, all, 2 ** 24).size, 199);
  assert.equal(packTargetBytes(2 ** 31), 2 ** 25);
});

function* pathsOf(value: unknown, path: readonly (string | number)[] = []): Generator<readonly (string | number)[]> {
  if (path.length > 0) yield path;
  if (typeof value !== 'object' || value === null) return;
  for (const [key, item] of Object.entries(value))
    yield* pathsOf(item, [...path, Array.isArray(value) ? Number(key) : key]);
}

function put(value: Record<string, unknown>, path: readonly (string | number)[], changed: unknown): void {
  const [key = '', ...rest] = path;
  if (rest.length === 0) value[key] = changed;
  else put(value[key] as Record<string, unknown>, rest, changed);
}
