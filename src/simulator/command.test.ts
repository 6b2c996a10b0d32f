import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { runSimulate } from './command.ts';
import type { RecordedMoves } from './moves.ts';

async function output(...argv: string[]): Promise<string> {
  const stdout = new PassThrough();
  const io = {
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
    env: {},
    signal: new AbortController().signal,
  };
  assert.equal(await runSimulate(argv, io), 0);
  return String(stdout.read());
}

test('prints one JSON object with the ratio and the copies', async () => {
  const result = JSON.parse(await output('--peers', '5', '--size', '20MB', '--seed', '7', '--json')) as Record<
    string,
    number
  >;
  for (const key of ['r', 'originCopies', 'timeToLastSeconds', 'fluidLimitSeconds'])
    assert.equal(typeof result[key], 'number', key);
  assert.equal(result['fluidLimitSeconds'], 0.2);
});

test('writes who got what from whom: everybody everything, and the origin sent each piece once', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'df-moves-'));
  try {
    const file = join(directory, 'moves.json');
    await output('--peers', '5', '--size', '20MB', '--moves', file);
    const { peers, moves, piece_count: pieces } = JSON.parse(await readFile(file, 'utf8')) as RecordedMoves;
    assert.equal(peers.length, 6, 'with the seed');
    const got = peers.map(() => 0);
    let fromOrigin = 0;
    for (let at = 0; at < moves.length; at += 4) {
      const [, child = 0, parent = 0, count = 0] = moves.slice(at, at + 4);
      got[child] = (got[child] ?? 0) + count;
      if (parent === 0) fromOrigin += count;
    }
    assert.deepEqual(
      got,
      peers.map(() => pieces),
    );
    assert.equal(fromOrigin, pieces);
    await assert.rejects(output('--scenario', 'two-zones', '--moves', file), { code: 'INVALID_ARGUMENT' });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test('says what is wrong with a flag', async () => {
  await assert.rejects(output('--arm', 'forest'), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(output('--size', 'big'), { code: 'INVALID_ARGUMENT' });
  await assert.rejects(output('--scenario', 'none'), { code: 'INVALID_ARGUMENT' });
});
