/** An answer that breaks off, of an origin that does not say which version it sends: what comes next must fit what is there. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { readFully } from '../../src/dfdaemon/storage/content-file.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { OriginFetch } from '../../src/dfdaemon/task/origin/origin-fetch.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const content = randomBytes(9_000_000);

/** Breaks off its first answer. @param ranges whether it knows ranges @param next its content from then on */
function breaking(ranges: boolean, next: Buffer): RequestListener {
  let answered = 0;
  return (request, response) => {
    answered += 1;
    const from = ranges ? Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? Number.NaN) : Number.NaN;
    const now = answered === 1 ? content : next;
    const body = Number.isNaN(from) ? now : now.subarray(from);
    const place = { 'content-range': `bytes ${from}-${now.length - 1}/${now.length}` };
    response.writeHead(Number.isNaN(from) ? 200 : 206, {
      'content-length': body.length,
      ...(ranges && { 'accept-ranges': 'bytes' }),
      ...(!Number.isNaN(from) && place),
    });
    if (answered > 1) return void response.end(body);
    response.write(body.subarray(0, 5_000_000), () => setTimeout(() => response.destroy(), 50));
  };
}

async function fetched(listener: RequestListener): Promise<Buffer> {
  await using directory = await temporaryDirectory('dragonfly-resume-');
  await using sources = new Sources({ logger: silentLogger });
  await using store = await TaskStore.open({ directory: directory.path });
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/content`;
  const stored = store.open('ab'.repeat(32), { url });
  try {
    await new OriginFetch({
      source: { url, header: {} },
      first: 0,
      end: undefined,
      pieceLengthBytes: 4 * 2 ** 20,
      sources,
      connections: 1,
      limiters: () => [],
      makeRoom: () => Promise.resolve(),
      stored,
      signal: AbortSignal.timeout(30_000),
      onAnswer: () => undefined,
      onBegun: () => undefined,
      onGivenUp: () => undefined,
      onBytes: () => undefined,
      mayRetry: (failure) => (failure.code === 'SOURCE_CHANGED' ? Promise.reject(failure) : Promise.resolve()),
    }).run();
    const got = Buffer.allocUnsafe(content.length);
    const use = stored.content.acquire();
    await readFully(use.fd, got, 0);
    use.release();
    return got;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

for (const ranges of [true, false]) {
  const kind = `${ranges ? 'with' : 'without'} ranges`;
  test(`goes on where the content is still the same, ${kind}`, async () => {
    assert.ok((await fetched(breaking(ranges, content))).equals(content));
  });
  test(`is an error where it is another one of the same length, ${kind}`, async () => {
    await assert.rejects(fetched(breaking(ranges, randomBytes(content.length))), { code: 'SOURCE_CHANGED' });
  });
}
