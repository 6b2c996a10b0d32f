import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openKey, ProofBoard } from './proof-board.ts';

const proof = Buffer.from('yes');
const { signal } = new AbortController();
const ask = (board: ProofBoard, hostId: string) => board.ask('key', { hostId, signal });

test('one asks, those who come meanwhile are told the same', async () => {
  const board = new ProofBoard();
  assert.equal(await ask(board, 'a'), undefined);
  const waiting = [ask(board, 'b'), ask(board, 'c')];
  board.tell('key', { hostId: 'a', proof, ttlMs: 0 });
  assert.deepEqual(await Promise.all(waiting), [
    { proof, ttlMs: 0 },
    { proof, ttlMs: 0 },
  ]);
  assert.equal(await ask(board, 'd'), undefined, 'what counts for a moment is asked again');
});

test('what counts for a while is told to all who come in that time', async () => {
  const board = new ProofBoard();
  await ask(board, 'a');
  board.tell('key', { hostId: 'a', proof, ttlMs: 60_000 });
  const told = await ask(board, 'b');
  assert.deepEqual(told?.proof, proof);
  assert.ok(told && told.ttlMs > 0 && told.ttlMs <= 60_000 && Number.isInteger(told.ttlMs));
});

test('what counted once is kept for when the origin is away, and is no answer while it can be asked', async () => {
  const board = new ProofBoard();
  assert.equal(board.last('key'), undefined);
  await ask(board, 'a');
  board.tell('key', { hostId: 'a', proof, ttlMs: 1 });
  while ((await ask(board, 'b')) !== undefined);
  assert.deepEqual(board.last('key'), { proof, ttlMs: 0 });
  board.tell('key', { hostId: 'b', ttlMs: 0 });
  assert.deepEqual(board.last('key')?.proof, proof, 'who was told nothing takes nothing away');
});

test('whoever asks a slow origin is waited for as long as it said, within a bound', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const board = new ProofBoard();
  for (const [key, turnMs, endsMs] of [
    ['usual', 0, 2_000],
    ['slow', 7_000, 7_000],
    ['endless', 3_600_000, 10_000],
  ] as const) {
    assert.equal(await board.ask(key, { hostId: 'a', signal, turnMs }), undefined);
    let ended = false;
    const waiting = board.ask(key, { hostId: 'b', signal }).then(() => (ended = true));
    mock.timers.tick(endsMs - 1);
    await Promise.resolve();
    assert.equal(ended, false, key);
    mock.timers.tick(1);
    await waiting;
  }
});

test('what a slow origin says after the turn has ended still counts, for those who ask meanwhile, too', async ({
  mock,
}) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const board = new ProofBoard();
  await ask(board, 'a');
  mock.timers.tick(2_000);
  assert.equal(await ask(board, 'b'), undefined, 'it is the turn of another');
  const waiting = ask(board, 'c');
  board.tell('key', { hostId: 'd', proof, ttlMs: 60_000 });
  board.tell('key', { hostId: 'a', proof, ttlMs: 60_000 });
  assert.deepEqual((await waiting)?.proof, proof);
  assert.deepEqual((await ask(board, 'e'))?.proof, proof);
  board.tell('key', { hostId: 'a', proof: Buffer.from('another'), ttlMs: 60_000 });
  assert.deepEqual((await ask(board, 'e'))?.proof, proof, 'one word for each turn');
});

test('nobody but the one whose turn it is can tell anything', async () => {
  const board = new ProofBoard();
  board.tell('key', { hostId: 'b', proof, ttlMs: 60_000 });
  assert.equal(await ask(board, 'a'), undefined);
  board.tell('key', { hostId: 'b', proof, ttlMs: 60_000 });
  const waiting = ask(board, 'c');
  board.tell('key', { hostId: 'a', ttlMs: 0 });
  assert.equal(await waiting, undefined, 'an answer that is no use to others sends each to the origin');
});

test('what is too large for others is told to nobody', async () => {
  const board = new ProofBoard();
  await ask(board, 'a');
  const waiting = ask(board, 'b');
  board.tell('key', { hostId: 'a', proof: Buffer.alloc(300 * 1024), ttlMs: 60_000 });
  assert.equal(await waiting, undefined);
});

test('what is open to everybody is known without anybody having been asked, and answers no other question', async () => {
  const board = new ProofBoard();
  board.publish(openKey('key'), { proof, ttlMs: 60_000 });
  const told = board.last(openKey('key'));
  assert.deepEqual(told?.proof, proof);
  assert.ok(told.ttlMs > 0);
  assert.equal(board.last('key'), undefined);
  assert.equal(await ask(board, 'a'), undefined);
  board.publish(openKey('other'), { proof, ttlMs: 0 });
  assert.equal(board.last(openKey('other')), undefined, 'what counts no longer is not kept');
});
