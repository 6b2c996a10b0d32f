/** Who waits for his turn to send, and gives up. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';
import { RateLimiter } from '../../src/core/rate-limiter.ts';
import { BlockPool } from '../../src/dfdaemon/transport/block-pool.ts';
import { BodySender } from '../../src/dfdaemon/transport/body-sender.ts';
import { maxActiveBodies, sendBlockBytes } from '../../src/dfdaemon/transport/limits.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('a body whose receiver has gone leaves the queue at once, and takes nobody’s place', async () => {
  await using directory = await temporaryDirectory();
  const path = directory.join('content');
  writeFileSync(path, 'x'.repeat(1000));
  const fd = openSync(path, 'r');
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  try {
    const limiter = new RateLimiter(1, 1);
    await limiter.acquire(1000); // the next one waits for a quarter of an hour
    const sender = new BodySender({ limiter, pool: new BlockPool(sendBlockBytes, sendBlockBytes), stallMs: 60_000 });
    const span = { fd, offset: 0, length: 1000 };
    const [sending, waiting] = [new AbortController(), new AbortController()];
    const sent = Array.from({ length: maxActiveBodies }, () => sender.send(socket, span, { signal: sending.signal }));
    const gone = sender.send(socket, span, { signal: waiting.signal });
    waiting.abort();
    await assert.rejects(gone, { code: 'CANCELLED' });
    assert.equal(sender.activeBodies, maxActiveBodies);
    sending.abort();
    await Promise.allSettled(sent);
    assert.equal(sender.activeBodies, 0);
  } finally {
    socket.destroy();
    server.close();
    closeSync(fd);
  }
});
