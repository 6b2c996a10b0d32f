import { randomBytes } from 'node:crypto';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { HttpOrigin } from '../support/http-origin.ts';
import { waitFor } from '../support/wait-for.ts';

const mib = 2 ** 20;

test('bodies share one ceiling; who finds no block goes on in small steps while others hold them', async (t) => {
  await using origin = await HttpOrigin.start();
  await using sources = new Sources({ logger: silentLogger, poolBytes: 4 * mib });
  const content = randomBytes(5 * mib + 17);
  const url = origin.add('/content', { content });
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  let most = 0;

  const read = async (held: boolean): Promise<void> => {
    const parts: Buffer[] = [];
    const body = await sources.open({ url, header: {}, signal: t.signal });
    await body.readTo(async (part) => {
      most = Math.max(most, sources.bufferedBytes);
      if (held) await released;
      parts.push(Buffer.from(part));
    });
    assert.ok(Buffer.concat(parts).equals(content));
  };

  const held = Array.from({ length: 6 }, () => read(true));
  await waitFor('all blocks to be held', () => sources.bufferedBytes === 4 * mib);
  await Promise.all(Array.from({ length: 6 }, () => read(false)));
  assert.equal(most, 4 * mib);
  release();
  await Promise.all(held);
  assert.equal(sources.bufferedBytes, 0, 'everything was given back');
});

test('a body that is given up gives its memory back', async (t) => {
  await using origin = await HttpOrigin.start();
  await using sources = new Sources({ logger: silentLogger, poolBytes: 4 * mib });
  const url = origin.add('/content', { content: randomBytes(5 * mib) });
  for (let round = 0; round < 3; round += 1) {
    const abort = new AbortController();
    const failing = await sources.open({ url, header: {}, signal: t.signal });
    await assert.rejects(
      failing.readTo(() => Promise.reject(new Error('the disk is full'))),
      /the disk is full/,
    );
    const aborted = await sources.open({ url, header: {}, signal: abort.signal });
    await assert.rejects(
      aborted.readTo(() => {
        abort.abort();
      }),
    );
    assert.equal(sources.bufferedBytes, 0);
  }
});
