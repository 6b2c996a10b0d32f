import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { backOffMs } from './back-off.ts';
import { backOffLongestMs } from './limits.ts';
import { Replay } from './replay.ts';
import { MessageQueue, readMessages, untilAborted } from './streams.ts';

const collect = async <T>(source: AsyncIterable<T>, count = Infinity): Promise<T[]> => {
  const items: T[] = [];
  for await (const item of source) {
    items.push(item);
    if (items.length === count) break;
  }
  return items;
};

void describe('a message queue', () => {
  void it('delivers everything in order, whatever the turns of pushing and pulling', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 300 }), async (turns) => {
        const queue = new MessageQueue<number>();
        const pulls: Promise<IteratorResult<number, void>>[] = [];
        const iterator = queue[Symbol.asyncIterator]();
        let pushed = 0;
        for (const push of turns) {
          if (push) queue.push(pushed++);
          else if (pulls.length <= pushed) {
            // Pulls one item at a time, like a loop.
            if (pulls.length < pushed) pulls.push(iterator.next());
            await pulls.at(-1);
          }
        }
        queue.end();
        while (pulls.length < pushed) pulls.push(iterator.next());
        const values = await Promise.all(pulls.map(async (pull) => (await pull).value));
        assert.deepEqual(
          values,
          Array.from({ length: pushed }, (_, index) => index),
        );
        assert.equal((await iterator.next()).done, true);
      }),
    );
  });

  void it('keeps what was pushed before its end or failure, and refuses what comes later', async () => {
    const queue = new MessageQueue<number>();
    queue.push(1);
    queue.fail(new Error('broken'));
    assert.equal(queue.push(2), false);
    const iterator = queue[Symbol.asyncIterator]();
    assert.deepEqual(await iterator.next(), { done: false, value: 1 });
    await assert.rejects(iterator.next(), /broken/);
    assert.equal((await iterator.next()).done, true);
  });

  void it('has a bound, counted in messages nobody has pulled', async () => {
    const queue = new MessageQueue<number>(3);
    for (let round = 0; round < 2000; round += 1) {
      queue.push(round);
      assert.equal((await queue[Symbol.asyncIterator]().next()).value, round);
    }
    for (let count = 0; count < 3; count += 1) queue.push(count);
    assert.throws(() => queue.push(3), { code: 'RESOURCE_EXHAUSTED' });
  });

  void it('can be left while a pull is pending', async () => {
    const queue = new MessageQueue<number>();
    const iterator = queue[Symbol.asyncIterator]();
    const pending = iterator.next();
    await iterator.return?.();
    assert.equal((await pending).done, true);
    assert.ok(queue.ended);
  });
});

void describe('reading a stream', () => {
  void it('gives what came before the error, then the error', async () => {
    const stream = new PassThrough({ objectMode: true });
    const messages = readMessages<number>(stream, new AbortController().signal);
    stream.write(1);
    stream.emit('error', new Error('cut'));
    assert.equal((await messages.next()).value, 1);
    await assert.rejects(messages.next(), /cut/);
  });

  void it('ends with the reason of its signal', async () => {
    const controller = new AbortController();
    const messages = readMessages(new PassThrough({ objectMode: true }), controller.signal);
    const pending = messages.next();
    controller.abort(new Error('enough'));
    await assert.rejects(pending, /enough/);
  });
});

void it('a source stuck in a wait is left when the signal aborts', async () => {
  const controller = new AbortController();
  const stuck = (async function* () {
    yield 1;
    await new Promise(() => undefined);
  })();
  const items = untilAborted(stuck, controller.signal);
  await items.next();
  const pending = items.next();
  controller.abort(new Error('gone'));
  await assert.rejects(pending, /gone/);
});

void describe('replayed requests', () => {
  void it('reach every attempt from the first on, also one that was pulled for an attempt that is over', async () => {
    const queue = new MessageQueue<number>();
    queue.push(1);
    queue.push(2);
    const replay = new Replay(queue);
    assert.deepEqual(await collect(replay.attempt(), 2), [1, 2]);
    const second = replay.attempt()[Symbol.asyncIterator]();
    assert.equal((await second.next()).value, 1);
    assert.equal((await second.next()).value, 2);
    const pending = second.next();
    await second.return?.();
    const third = replay.attempt()[Symbol.asyncIterator]();
    assert.equal((await third.next()).value, 1);
    assert.equal((await third.next()).value, 2);
    const next = third.next();
    queue.push(3);
    assert.equal((await pending).done, true);
    assert.equal((await next).value, 3);
    replay.commit();
    queue.push(4);
    assert.equal((await third.next()).value, 4);
    await third.return?.();
    assert.ok(queue.ended, 'leaving the attempt that was kept ends the source');
  });
});

void it('back-off grows, stays below its longest, and is never nothing', () => {
  for (let failures = 1; failures < 100; failures += 1) {
    const [least, most] = [backOffMs(failures, () => 0), backOffMs(failures, () => 1)];
    assert.ok(least > 0 && least <= most && most <= backOffLongestMs);
    assert.ok(backOffMs(failures + 1, () => 0) >= least);
  }
});
