/** Origins that are broken, lie, or say unusual but legal things. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { silentLogger } from '../../src/core/process/logger.ts';
import type { SourceRequest } from '../../src/dfdaemon/source/source.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { bytesOf, rejects } from './conformance.ts';
import { ok, OddServer } from './odd-server.ts';

type Answer = Parameters<typeof OddServer.start>[0];

async function withOrigin(
  t: TestContext,
  answer: Answer,
): Promise<{ origin: OddServer; sources: Sources; request: (more?: Partial<SourceRequest>) => SourceRequest }> {
  const origin = await OddServer.start(answer);
  const sources = new Sources({ logger: silentLogger });
  t.after(async () => {
    await sources[Symbol.asyncDispose]();
    await origin[Symbol.asyncDispose]();
  });
  return {
    origin,
    sources,
    request: (more = {}) => ({ url: `${origin.url}/file`, header: {}, signal: t.signal, ...more }),
  };
}

const range = { start: 10, length: 10 };

describe('http origins that break the rules', () => {
  const broken: readonly [string, string, Partial<SourceRequest>?][] = [
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
    ['two different lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc'],
    ['a negative length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['a length beyond any file', 'HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n'],
    ['an unknown transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['a header line without colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
    ['an endless header', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}`],
    [
      '206 without being asked',
      'HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n\r\nabc',
    ],
    ['206 without Content-Range', `HTTP/1.1 206 X\r\nContent-Length: 10\r\n\r\n0123456789`, { range }],
    [
      'another range',
      `HTTP/1.1 206 X\r\nContent-Range: bytes 0-9/99\r\nContent-Length: 10\r\n\r\n0123456789`,
      { range },
    ],
    [
      'a range that is not its length',
      `HTTP/1.1 206 X\r\nContent-Range: bytes 10-19/99\r\nContent-Length: 9\r\n\r\n012345678`,
      { range },
    ],
    [
      'several ranges',
      `HTTP/1.1 206 X\r\nContent-Type: multipart/byteranges; boundary=b\r\nContent-Length: 0\r\n\r\n`,
      { range },
    ],
  ];
  for (const [name, answer, more] of broken) {
    it(`refuses ${name}`, async (t) => {
      const { sources, request } = await withOrigin(t, () => answer);
      await rejects(sources.open(request(more)), 'PROTOCOL');
    });
  }

  const badBodies: readonly [string, string][] = [
    ['a malformed chunk size', 'zz\r\nabc\r\n'],
    ['a chunk longer than its size', '2\r\nabc\r\n0\r\n\r\n'],
    ['an endless chunk size line', `3;${'x'.repeat(10_000)}`],
    ['lines without CR', '3\nabc\n0\n\n'],
  ];
  for (const [name, body] of badBodies) {
    it(`refuses ${name}`, async (t) => {
      const { sources, request } = await withOrigin(
        t,
        () => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`,
      );
      await rejects(bytesOf(await sources.open(request())), 'PROTOCOL');
    });
  }

  for (const framing of ['Content-Length: 10\r\n\r\nabc', 'Transfer-Encoding: chunked\r\n\r\n5\r\nabc']) {
    it(`never takes a truncated body for a whole one: ${framing.slice(0, 17)}`, async (t) => {
      const { sources, request } = await withOrigin(
        t,
        ({ socket }) => void socket.end(`HTTP/1.1 200 OK\r\n${framing}`),
      );
      const error = await rejects(bytesOf(await sources.open(request())), 'SOURCE_UNREACHABLE');
      assert.match(error.message, /ended before all/);
    });
  }

  it('reports a connection cut in the middle of a body', async (t) => {
    const { sources, request } = await withOrigin(t, ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', () => socket.resetAndDestroy());
    });
    await rejects(
      sources.open(request()).then((body) => bytesOf(body)),
      'SOURCE_UNREACHABLE',
    );
  });

  it('does not reuse a connection that carries bytes nobody asked for', async (t) => {
    const { origin, sources, request } = await withOrigin(t, () => `${ok('abc')}extra`);
    assert.equal((await bytesOf(await sources.open(request()))).toString(), 'abc');
    assert.equal((await bytesOf(await sources.open(request()))).toString(), 'abc');
    assert.equal(origin.connections, 2);
  });
});

describe('http origins with unusual but legal answers', () => {
  it('reads chunked bodies of unknown length, with extensions and trailers', async (t) => {
    const { sources, request } = await withOrigin(t, () => {
      const big = 'y'.repeat(3_000_000);
      return `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n${big.length.toString(16)}\r\n${big}\r\n0\r\nX-T: 1\r\n\r\n`;
    });
    for (let round = 0; round < 2; round += 1) {
      const body = await sources.open(request());
      assert.equal(body.contentLengthBytes, undefined);
      assert.equal((await bytesOf(body)).length, 3_000_003);
    }
  });

  it('reads a chunked body that arrives byte by byte', async (t) => {
    const { sources, request } = await withOrigin(t, async ({ socket }) => {
      for (const byte of 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwxyz\r\n0\r\n\r\n') {
        await new Promise<void>((resolve) => socket.write(byte, () => resolve()));
      }
    });
    assert.equal((await bytesOf(await sources.open(request()))).toString(), 'wxyz');
  });

  it('hands on what a slow origin has sent so far, and every byte once', async (t) => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    let sent = 0;
    let more = (): void => {};
    const { sources, request } = await withOrigin(t, ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n`);
      more = () => void socket.write(content.subarray(sent, (sent += 30_000)));
      more();
    });
    const received: Buffer[] = [];
    const body = await sources.open(request());
    await body.readTo(async (block) => {
      const before = Buffer.from(block);
      if (sent < content.length) more(); // the origin goes on only when it was heard
      await new Promise((resolve) => setImmediate(resolve));
      assert.ok(before.equals(block), 'what was handed on stays as it is');
      received.push(before);
    });
    assert.ok(Buffer.concat(received).equals(content));
    assert.ok(received.length >= 10, `${received.length} blocks`);
  });

  it('reads until the connection closes when nothing tells the length', async (t) => {
    const { sources, request } = await withOrigin(
      t,
      ({ socket }) => void socket.end('HTTP/1.0 200 OK\r\n\r\nold style'),
    );
    const body = await sources.open(request());
    assert.equal(body.lengthBytes, undefined);
    assert.equal((await bytesOf(body)).toString(), 'old style');
  });

  it('gets the whole object from an origin without ranges', async (t) => {
    const { sources, request } = await withOrigin(t, () => ok('0123456789'.repeat(3), 'ETag: "a"\r\n'));
    const body = await sources.open(request({ range, validator: '"a"' }));
    assert.deepEqual([body.ranges, body.startBytes, body.lengthBytes], [false, 0, 30]);
  });

  it('reads a header with folded lines, bare line feeds, and a coding that is none', async (t) => {
    const heads = [
      'HTTP/1.1 200 OK\r\nX-Long: one\r\n two\r\nContent-Length: 3\r\n\r\n',
      'HTTP/1.1 200 OK\nX-Long: one two\nContent-Length: 3\n\n',
      'HTTP/1.1 200 OK\r\nX-Long: one two\r\nTransfer-Encoding: identity\r\nContent-Length: 3\r\n\r\n',
    ];
    const { sources, request } = await withOrigin(t, () => `${heads.shift()}abc`);
    while (heads.length > 0) {
      const body = await sources.open(request());
      assert.equal(body.header['x-long'], 'one two');
      assert.equal((await bytesOf(body)).toString(), 'abc');
    }
  });

  it('passes over interim answers', async (t) => {
    const { sources, request } = await withOrigin(
      t,
      () => `HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${ok('abc')}`,
    );
    assert.equal((await bytesOf(await sources.open(request()))).toString(), 'abc');
  });

  it('asks for the identity coding and keeps what comes, labelled', async (t) => {
    const zipped = gzipSync('text').toString('latin1');
    const { origin, sources, request } = await withOrigin(t, () => ok(zipped, 'Content-Encoding: gzip\r\n'));
    const body = await sources.open(request({ header: { 'Accept-Encoding': 'gzip' } }));
    assert.equal(origin.requests[0]?.header['accept-encoding'], 'identity');
    assert.equal(body.header['content-encoding'], 'gzip');
    assert.equal((await bytesOf(body)).toString('latin1'), zipped);
  });

  it('uses If-Range only with a strong validator', async (t) => {
    const { origin, sources, request } = await withOrigin(t, () => ok('x', 'ETag: W/"a"\r\n'));
    for (const validator of ['"a"', 'W/"a"']) (await sources.open(request({ range, validator }))).cancel();
    assert.deepEqual(
      origin.requests.map(({ header }) => header['if-range']),
      ['"a"', undefined],
    );
  });

  it('keeps hop-by-hop header and cookies to itself', async (t) => {
    const { origin, sources, request } = await withOrigin(t, () =>
      ok(
        'x',
        'Connection: X-Hop\r\nX-Hop: 1\r\nSet-Cookie: a=b\r\nKeep-Alive: 5\r\nX-Own: kept\r\nContent-Type: text/plain\r\n',
      ),
    );
    const body = await sources.open(
      request({ header: { Connection: 'X-Mine', 'X-Mine': '1', Host: 'other', 'X-Other': '2' } }),
    );
    assert.deepEqual(body.header, { 'x-own': 'kept', 'content-type': 'text/plain' });
    const sent = origin.requests[0]?.header ?? {};
    assert.deepEqual([sent['x-mine'], sent['host'], sent['x-other']], [undefined, `127.0.0.1:${origin.port}`, '2']);
  });

  it('refuses a header that would smuggle a second request', async (t) => {
    const { sources, request } = await withOrigin(t, () => ok('x'));
    await rejects(sources.open(request({ header: { 'X-A': 'b\r\n\r\nGET /other HTTP/1.1' } })), 'INVALID_ARGUMENT');
  });

  it('reuses a connection, also after small error pages', async (t) => {
    const { origin, sources, request } = await withOrigin(t, ({ path }) =>
      path === '/file' ? ok('abc') : 'HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope',
    );
    for (let round = 0; round < 5; round += 1) {
      await bytesOf(await sources.open(request()));
      await rejects(sources.open(request({ url: `${origin.url}/other` })), 'SOURCE_STATUS');
    }
    assert.equal(origin.connections, 1);
  });

  it('carries any number of answers on one connection', async (t) => {
    const { origin, sources, request } = await withOrigin(t, ({ path }) => ok(path.repeat(200)));
    for (let round = 0; round < 400; round += 1) {
      const body = await bytesOf(await sources.open(request({ url: `${origin.url}/${round}` })));
      assert.equal(body.toString(), `/${round}`.repeat(200));
    }
    assert.equal(origin.connections, 1);
  });

  it('lets a body be dropped before, while and after it is read, without harm to other requests', async (t) => {
    const { origin, sources, request } = await withOrigin(t, ({ path, socket }) => {
      if (path === '/later') return void setImmediate(() => socket.write(ok('later')));
      return ok('x'.repeat(path === '/short' ? 100 : 3_000_000));
    });
    for (const url of [`${origin.url}/short`, `${origin.url}/long`]) {
      (await sources.open(request({ url }))).cancel();
      const dropped = await sources.open(request({ url }));
      const reading = dropped.readTo(() => dropped.cancel());
      if (url.endsWith('long')) await rejects(reading, 'CANCELLED');
      else await reading; // all of it had arrived already
      const whole = await sources.open(request({ url }));
      await bytesOf(whole);
      const next = sources.open(request({ url: `${origin.url}/later` })); // on the same connection
      whole.cancel();
      assert.equal((await bytesOf(await next)).toString(), 'later');
    }
  });

  it('asks again on a fresh connection when an idle one turns out closed', async (t) => {
    let answered = 0;
    const { origin, sources, request } = await withOrigin(t, ({ socket }) => {
      answered += 1;
      if (answered === 2) return void socket.destroy();
      return ok('abc');
    });
    for (let round = 0; round < 2; round += 1) await bytesOf(await sources.open(request()));
    assert.equal(origin.connections, 2);
  });

  it('tells status and Retry-After of a refusal', async (t) => {
    const { sources, request } = await withOrigin(
      t,
      () => 'HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n',
    );
    const error = await rejects(sources.open(request()), 'SOURCE_STATUS');
    assert.equal(error.details?.statusCode, 503);
    assert.deepEqual(error.details?.header, { 'retry-after': '7' });
    assert.match(error.hint ?? '', /7/);
  });

  it('never opens more connections to one origin than allowed, and serves every request', async (t) => {
    let open = 0;
    let most = 0;
    const { sources, request } = await withOrigin(t, ({ socket }) => {
      most = Math.max(most, (open += 1));
      setImmediate(() => {
        open -= 1;
        socket.write(ok('abc'));
      });
    });
    const bodies = Array.from({ length: 200 }, async () => (await bytesOf(await sources.open(request()))).toString());
    assert.deepEqual(new Set(await Promise.all(bodies)), new Set(['abc']));
    assert.ok(most <= 32, `${most} at once`);
  });

  it('says in one sentence why an origin cannot be reached', async (t) => {
    const { origin, sources, request } = await withOrigin(t, () => ok(''));
    const unknown = await rejects(
      sources.open(request({ url: 'http://no-such-host.invalid/x' })),
      'SOURCE_UNREACHABLE',
    );
    assert.match(unknown.message, /name/);
    const { port } = origin;
    await origin[Symbol.asyncDispose]();
    const refused = await rejects(sources.open(request({ url: `http://127.0.0.1:${port}/` })), 'SOURCE_UNREACHABLE');
    assert.match(refused.message, /nothing listens/);
    await rejects(sources.open(request({ url: 'not a url' })), 'INVALID_ARGUMENT');
    await rejects(sources.open(request({ url: 'gopher://host/' })), 'UNSUPPORTED');
  });
});
