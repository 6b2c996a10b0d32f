/** Bytes and framing: what a client and an origin say to each other reaches the other side as it was said. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { startDaemon, type ProxiedDaemon } from './support/proxy-fixture.ts';
import { bytes, rawClient, rawOrigin, type RawHandler, type RawOrigin } from './support/raw-http.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const okAtEnd = /\r\n\r\nok$/;

let daemon: ProxiedDaemon;
before(async () => {
  daemon = await startDaemon({ proxy: { proxies: [{ regx: '/by-rule' }] } });
});
after(() => daemon[Symbol.asyncDispose]());

/** How a client names the same target, by the way it takes. */
const ways = {
  forward: ({ url, host }: RawOrigin) => ({ target: (path: string) => `${url}${path}`, header: `Host: ${host}\r\n` }),
  mirror: ({ url }: RawOrigin) => ({
    target: (path: string) => path,
    header: `Host: mirror.test\r\nX-Dragonfly-Registry: ${url}\r\n`,
  }),
} as const;

async function exchange(request: string, expected: RegExp = okAtEnd): Promise<string> {
  using client = await rawClient(daemon.port);
  client.send(request);
  return await client.until(expected);
}

describe('what a client sends', () => {
  const targets = [
    '/a/../b',
    '/./a',
    '/%2f%2F',
    '/%',
    '/100%zz',
    '/a?',
    '/?',
    '//a//b',
    `/'"<>|{}[]^\``,
    '/a;b=c?d=e&&=',
    '/a?x=../..',
    '/a%00',
    '/~%7e',
  ];
  for (const [way, made] of Object.entries(ways)) {
    test(`request targets stay as they are: ${way}`, async () => {
      await using origin = await rawOrigin(() => ok);
      const { target, header } = made(origin);
      for (const path of targets) await exchange(`GET ${target(path)} HTTP/1.1\r\n${header}\r\n`);
      assert.deepEqual(
        origin.seen.map(({ head }) => head.split(' ')[1]),
        targets,
      );
    });

    test(`header fields keep bytes, order, case and number; what is the connection's own is gone: ${way}`, async () => {
      await using origin = await rawOrigin(() => ok);
      const { target, header } = made(origin);
      const utf8 = Buffer.from('模型').toString('latin1');
      const fields = `X-b: 1\r\nx-A: caf\xe9\r\nX-b: 2\r\nCookie: a=1\r\ncookie: b=2\r\nX-Utf8: ${utf8}\r\nX-Empty: \r\nContent-Disposition: n=${utf8}\r\n`;
      const own =
        'Connection: close, X-Mine\r\nX-Mine: 1\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 5\r\nProxy-Authorization: Basic eA==\r\nTE: gzip\r\nX-Dragonfly-Tag: t\r\n';
      await exchange(`POST ${target('/x')} HTTP/1.1\r\n${header}Content-Length: 2\r\n${own}${fields}\r\nhi`);
      const [head = ''] = origin.seen.map((request) => request.head);
      assert.match(head, new RegExp(`\r\nHost: ${origin.host}\r\nContent-Length: 2\r\n`));
      assert.ok(head.includes(`\r\n${fields}`), head);
      assert.doesNotMatch(head, /mine|proxy-|keep-alive|^te:|dragonfly-tag/im);
    });
  }

  test('bodies keep their framing and their trailers, whatever the method', async () => {
    await using origin = await rawOrigin((_request, whole) => (whole ? ok : undefined));
    const { target, header } = ways.forward(origin);
    const chunks = '5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-Sum: caf\xe9\r\nX-Sum: 2\r\n\r\n';
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'GET', 'PROPFIND', 'OPTIONS']) {
      await exchange(
        `${method} ${target('/c')} HTTP/1.1\r\n${header}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
      );
      const chunked = origin.seen.at(-1);
      assert.match(
        chunked?.head ?? '',
        new RegExp(`^${method} /c HTTP/1.1\r\n[^]*Trailer: X-Sum\r\n[^]*Transfer-Encoding: chunked\r\n`),
      );
      assert.match(chunked?.body ?? '', /0\r\nX-Sum: caf\xe9\r\nX-Sum: 2\r\n\r\n$/);
      await exchange(`${method} ${target('/l')} HTTP/1.1\r\n${header}Content-Length: 11\r\n\r\nhello world`);
      assert.equal(origin.seen.at(-1)?.body, 'hello world');
    }
  });

  test('a request inside of a body is never a request (smuggling)', async () => {
    await using origin = await rawOrigin((_request, whole) => (whole ? ok : undefined));
    const { target, header } = ways.forward(origin);
    const hidden = 'GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n';
    await exchange(
      `POST ${target('/a')} HTTP/1.1\r\n${header}Transfer-Encoding: chunked\r\n\r\n${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`,
    );
    await exchange(`GET ${target('/b')} HTTP/1.1\r\n${header}\r\n`);
    assert.deepEqual(
      origin.seen.map(({ head }) => head.split(' ')[1]),
      ['/a', '/b'],
    );
  });

  const unsure: Readonly<Record<string, string>> = {
    'both lengths': 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n',
    'the coding first': 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n',
    'two lengths': 'Content-Length: 4\r\nContent-Length: 5\r\n',
    'a list of lengths': 'Content-Length: 4, 4\r\n',
    'a signed length': 'Content-Length: +4\r\n',
    'no number': 'Content-Length: 0x4\r\n',
    'another coding': 'Transfer-Encoding: gzip, chunked\r\n',
    'a coding in disguise': 'Transfer-Encoding: xchunked\r\n',
    'two codings': 'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n',
    'a space before the colon': 'Transfer-Encoding : chunked\r\n',
    'a folded line': 'X-A: b\r\n Transfer-Encoding: chunked\r\n',
    'two hosts': 'Host: other\r\n',
  };
  for (const [what, lines] of Object.entries(unsure)) {
    test(`refused, and the connection closed: ${what}`, async () => {
      await using origin = await rawOrigin(() => ok);
      const { target, header } = ways.forward(origin);
      using client = await rawClient(daemon.port);
      client.send(
        `POST ${target('/x')} HTTP/1.1\r\n${header}${lines}\r\n0\r\n\r\nGET ${target('/y')} HTTP/1.1\r\n${header}\r\n`,
      );
      assert.match(await client.end(), /^HTTP\/1\.1 400 [^]*\r\nConnection: close\r\n/i);
      assert.equal(origin.seen.length, 0);
    });
  }

  test('a client that says it sends no more still gets its answer', async () => {
    const { promise: sent, resolve } = Promise.withResolvers<void>();
    await using origin = await rawOrigin(({ socket }) => {
      void sent.then(() => socket.write(ok));
      return undefined;
    });
    const { target, header } = ways.forward(origin);
    using client = await rawClient(daemon.port);
    client.socket.end(`GET ${target('/x')} HTTP/1.1\r\n${header}\r\n`);
    await once(client.socket, 'finish');
    setImmediate(resolve);
    await client.until(okAtEnd);
  });

  test('an upload that breaks off is broken off at the origin, and its connection serves nobody else', async () => {
    const begun = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    await using origin = await rawOrigin(({ socket }, whole) => {
      if (whole) return ok;
      begun.resolve();
      socket.once('close', ended.resolve);
      return undefined;
    });
    const { target, header } = ways.forward(origin);
    const client = await rawClient(daemon.port);
    client.send(`PUT ${target('/x')} HTTP/1.1\r\n${header}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    await begun.promise;
    client.socket.destroy();
    await ended.promise;
    await exchange(`GET ${target('/y')} HTTP/1.1\r\n${header}\r\n`);
    assert.deepEqual(
      origin.seen.map(({ head }) => head.split(' ')[1]),
      ['/y'],
    );
  });

  test('a header section of 64 KiB passes; a longer one than we take is told so', async () => {
    await using origin = await rawOrigin(() => ok);
    const { target, header } = ways.forward(origin);
    const long = 'x'.repeat(65_536);
    await exchange(`GET ${target('/x')} HTTP/1.1\r\n${header}X-Long: ${long}\r\n\r\n`);
    assert.ok(origin.seen[0]?.head.includes(long));
    const answer = await exchange(
      `GET ${target('/x')} HTTP/1.1\r\n${header}X-Long: ${long}${long}\r\n\r\n`,
      /\r\n\r\n/,
    );
    assert.match(answer, /^HTTP\/1\.1 431 /);
  });
});

describe('Expect: 100-continue', () => {
  const ask = (way: ReturnType<(typeof ways)['forward']>, more = ''): string =>
    `PUT ${way.target('/x')} HTTP/1.1\r\n${way.header}Expect: 100-continue\r\nX-A: caf\xe9\r\n${more}Content-Length: 5\r\n\r\n`;

  test('the origin decides: its yes brings the body', async () => {
    await using origin = await rawOrigin((_request, whole) => (whole ? ok : 'HTTP/1.1 100 Continue\r\n\r\n'));
    using client = await rawClient(daemon.port);
    client.send(ask(ways.forward(origin)));
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.send('hello');
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 [^]*ok$/);
    assert.match(origin.seen[0]?.head ?? '', /\r\nExpect: 100-continue\r\nX-A: caf\xe9\r\n/);
    assert.equal(origin.seen[0]?.body, 'hello');
  });

  for (const status of ['417 Expectation Failed', '401 Unauthorized', '413 Content Too Large']) {
    test(`its ${status} comes at once, without the body`, async () => {
      await using origin = await rawOrigin(
        () => `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno`,
      );
      using client = await rawClient(daemon.port);
      client.send(ask(ways.forward(origin)));
      assert.match(await client.end(), new RegExp(`^HTTP/1\\.1 ${status}\r\n[^]*\r\n\r\nno$`));
    });
  }
});

describe('what an origin answers', () => {
  async function answer(
    handler: RawHandler,
    { version = '1.1', method = 'GET' } = {},
    expected = okAtEnd,
  ): Promise<string> {
    await using origin = await rawOrigin(handler);
    const { target, header } = ways.forward(origin);
    return await exchange(`${method} ${target('/x')} HTTP/${version}\r\n${header}\r\n`, expected);
  }

  test('interim answers pass, in order', async () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nLink: </caf\xe9>; rel=preload\r\nLink: </b>\r\n\r\n';
    const got = await answer(() => `HTTP/1.1 102 Processing\r\n\r\n${early}${ok}`);
    assert.ok(got.startsWith(`HTTP/1.1 102 Processing\r\n\r\n${early}HTTP/1.1 200 OK\r\n`), got);
  });

  test('header fields keep bytes, order, case and number, and none is added but for the connection', async () => {
    const location = Buffer.from('/模型 x').toString('latin1');
    const fields = `SERVER: s\r\nLocation: ${location}\r\nset-cookie: a=1\r\nContent-length: 2\r\nContent-Disposition: n="${location}\xe9"\r\nSet-Cookie: b=2\r\nX-Empty: \r\n`;
    const got = await answer(
      () => `HTTP/1.1 200 Gut\xe9\r\n${fields}Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\nok`,
    );
    assert.equal(
      got.replace(/Connection: keep-alive\r\nKeep-Alive: [^\r]*\r\n/, ''),
      `HTTP/1.1 200 Gut\xe9\r\n${fields}\r\nok`,
    );
  });

  test('odd but readable headers are read: folded lines, bare line feeds, 64 KiB, thousands of fields', async () => {
    assert.match(
      await answer(() => 'HTTP/1.1 200 OK\r\nX-A: one\r\n two\r\nContent-Length: 2\r\n\r\nok'),
      /\r\nX-A: one two\r\n/,
    );
    assert.match(await answer(() => 'HTTP/1.1 200 OK\nX-A: one\nContent-Length: 2\n\nok'), /\r\nX-A: one\r\n/);
    const long = 'y'.repeat(65_536);
    assert.ok((await answer(() => `HTTP/1.1 200 OK\r\nX-A: ${long}\r\nContent-Length: 2\r\n\r\nok`)).includes(long));
    const many = Array.from({ length: 3000 }, (_, index) => `X-${index}: v\r\n`).join('');
    assert.ok((await answer(() => `HTTP/1.1 200 OK\r\n${many}Content-Length: 2\r\n\r\nok`)).includes(many));
  });

  test('trailers follow a body in chunks', async () => {
    const chunked =
      'HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: caf\xe9\r\n\r\n';
    const got = await answer(() => chunked, {}, /0\r\n[^]*\r\n\r\n$/);
    assert.match(got, /\r\nTrailer: X-Sum\r\n[^]*\r\n2\r\nok\r\n0\r\nX-Sum: caf\xe9\r\n\r\n$/);
    const old = await answer(() => chunked, { version: '1.0' }, okAtEnd);
    assert.doesNotMatch(old, /transfer-encoding|trailer|x-sum/i);
  });

  test('both lengths in an answer: the coding decides, and only one length goes on', async () => {
    const got = await answer(
      () => 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      {},
      /0\r\n\r\n$/,
    );
    assert.doesNotMatch(got, /content-length/i);
    assert.match(got, /\r\n2\r\nok\r\n0\r\n\r\n$/);
  });

  test('an answer without a length ends with its connection; one that breaks off is broken', async () => {
    const closing: RawHandler = ({ socket }) => void socket.end('HTTP/1.0 200 OK\r\nX-A: b\r\n\r\nok');
    assert.match(
      await answer(closing, {}, /0\r\n\r\n$/),
      /Transfer-Encoding: chunked\r\n[^]*\r\n2\r\nok\r\n0\r\n\r\n$/,
    );
    await using origin = await rawOrigin(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart', () => socket.destroy());
      return undefined;
    });
    const { target, header } = ways.forward(origin);
    using client = await rawClient(daemon.port);
    client.send(`GET ${target('/x')} HTTP/1.1\r\n${header}\r\n`);
    assert.match(await client.end(), /\r\n\r\npart$/);
  });

  test('an answer that goes on until its connection ends is broken when that is reset', async () => {
    await using origin = await rawOrigin(({ socket }) => {
      socket.write('HTTP/1.0 200 OK\r\nX-A: b\r\n\r\npart');
      return undefined;
    });
    const { target, header } = ways.forward(origin);
    using client = await rawClient(daemon.port);
    client.send(`GET ${target('/x')} HTTP/1.1\r\n${header}\r\n`);
    await client.until(/\r\npart/);
    origin.seen[0]?.socket.resetAndDestroy();
    assert.doesNotMatch(await client.end(), /\r\n0\r\n/);
  });

  test('an answer in another transfer coding than chunks is refused: what it means nobody here can say', async () => {
    const coded = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n';
    assert.match(await answer(() => coded, {}, /\r\n\r\n[^]+$/), /^HTTP\/1\.1 502 /);
  });

  test('HEAD, 204 and 304 have no body, and the connection goes on', async () => {
    await using origin = await rawOrigin(({ head }) => {
      if (head.startsWith('HEAD')) return 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n';
      if (head.includes('/204')) return 'HTTP/1.1 204 No\r\n\r\n';
      return head.includes('/304') ? 'HTTP/1.1 304 Not\r\nContent-Length: 7\r\nETag: "a"\r\n\r\n' : ok;
    });
    const { target, header } = ways.forward(origin);
    using client = await rawClient(daemon.port);
    for (const [line, expected] of [
      [`HEAD ${target('/x')}`, /^HTTP\/1\.1 200 OK\r\nContent-Length: 99\r\n[^]*\r\n\r\n$/],
      [`GET ${target('/204')}`, /\r\n\r\nHTTP\/1\.1 204 No\r\n(?:(?!\r\n\r\n)[^])*\r\n\r\n$/],
      [
        `GET ${target('/304')}`,
        /\r\n\r\nHTTP\/1\.1 304 Not\r\nContent-Length: 7\r\nETag: "a"\r\n(?:(?!\r\n\r\n)[^])*\r\n\r\n$/,
      ],
      [`GET ${target('/x')}`, okAtEnd],
    ] as const) {
      client.send(`${line} HTTP/1.1\r\n${header}\r\n`);
      await client.until(expected);
    }
  });

  test('an answer before the body is there reaches the client, which may go on with the connection', async () => {
    await using origin = await rawOrigin((request, whole) => {
      if (request.head.startsWith('GET')) return ok;
      return whole ? undefined : 'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno';
    });
    const { target, header } = ways.forward(origin);
    using client = await rawClient(daemon.port);
    client.send(`POST ${target('/x')} HTTP/1.1\r\n${header}Content-Length: 10\r\n\r\n`);
    await client.until(/^HTTP\/1\.1 413 [^]*no$/);
    client.send(`0123456789GET ${target('/y')} HTTP/1.1\r\n${header}\r\n`);
    await client.until(okAtEnd);
  });

  test('a client that leaves after such an answer leaves no connection behind', async () => {
    const ended = Promise.withResolvers<void>();
    await using origin = await rawOrigin(({ socket }, whole) => {
      socket.once('close', ended.resolve);
      return whole ? undefined : 'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno';
    });
    const { target, header } = ways.forward(origin);
    const client = await rawClient(daemon.port);
    client.send(`POST ${target('/x')} HTTP/1.1\r\n${header}Content-Length: 10\r\n\r\n`);
    await client.until(/^HTTP\/1\.1 413 [^]*no$/);
    client.socket.destroy();
    await ended.promise;
  });

  for (const [what, body] of [
    ['without a body', ''],
    ['with one', '{"Tty":true}'],
  ] as const) {
    test(`an upgrade passes both ways: ${what}`, async () => {
      await using origin = await rawOrigin(({ socket }, whole) => {
        if (!whole) return undefined;
        socket.removeAllListeners('data');
        socket.on('data', (block) => socket.write(bytes(`<${block.toString('latin1')}>`)));
        return 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nX-A: caf\xe9\r\n\r\nhi';
      });
      const { target, header } = ways.forward(origin);
      using client = await rawClient(daemon.port);
      client.send(
        `POST ${target('/attach')} HTTP/1.1\r\n${header}Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      await client.until(/^HTTP\/1\.1 101 UPGRADED\r\n[^]*X-A: caf\xe9\r\n\r\nhi$/);
      client.send('raw\xff');
      await client.until(/hi<raw\xff>$/);
      assert.match(origin.seen[0]?.head ?? '', /\r\nUpgrade: tcp\r\n[^]*\r\nConnection: Upgrade\r\n/);
      assert.equal(origin.seen[0]?.body, body);
    });
  }

  test('an upgrade that the origin does not want is a plain request', async () => {
    await using origin = await rawOrigin(() => ok);
    const { target, header } = ways.forward(origin);
    const got = await exchange(
      `GET ${target('/x')} HTTP/1.1\r\n${header}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
    );
    assert.match(got, /^HTTP\/1\.1 200 OK\r\n/);
  });
});
