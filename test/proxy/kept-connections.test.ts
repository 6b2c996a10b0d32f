/** Connections to origins are kept and shared; one that the origin has closed meanwhile makes no request fail. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startDaemon, type ProxiedDaemon } from './support/proxy-fixture.ts';
import { rawClient, rawOrigin, type RawOrigin } from './support/raw-http.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const okAtEnd = /\r\n\r\nok$/;

let daemon: ProxiedDaemon;
before(async () => {
  daemon = await startDaemon();
});
after(() => daemon[Symbol.asyncDispose]());

const forward = ({ url, host }: RawOrigin) => ({
  target: (path: string) => `${url}${path}`,
  header: `Host: ${host}\r\n`,
});

async function exchange(request: string, expected: RegExp = okAtEnd): Promise<string> {
  using client = await rawClient(daemon.port);
  client.send(request);
  return await client.until(expected);
}

describe('a kept connection that the origin has closed', () => {
  for (const how of ['reset', 'end'] as const) {
    test(`no request fails by it: ${how}`, async () => {
      await using origin = await rawOrigin(({ socket, number }, whole) => {
        if (!whole) return undefined;
        if (number === 1) return ok;
        if (how === 'reset') socket.resetAndDestroy();
        else socket.end();
        return undefined;
      });
      const { target, header } = forward(origin);
      const long = 'x'.repeat(300_000);
      for (const request of [
        `GET ${target('/x')} HTTP/1.1\r\n${header}\r\n`,
        `POST ${target('/x')} HTTP/1.1\r\n${header}Content-Length: 2\r\n\r\n{}`,
        `GET ${target('/x')} HTTP/1.1\r\n${header}\r\n`,
        `PUT ${target('/x')} HTTP/1.1\r\n${header}Content-Length: ${long.length}\r\n\r\n${long}`,
        `POST ${target('/x')} HTTP/1.1\r\n${header}Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n`,
        `DELETE ${target('/x')} HTTP/1.1\r\n${header}\r\n`,
      ]) {
        assert.match(await exchange(request), /^HTTP\/1\.1 200 /, request.slice(0, 20));
      }
    });
  }

  test('one that waits for its 100 gets it over the fresh connection, and the body passes', async () => {
    await using origin = await rawOrigin(({ head, socket, number }, whole) => {
      if (number > 1) {
        socket.end();
        return undefined;
      }
      return whole ? ok : head.includes('Expect') ? 'HTTP/1.1 100 Continue\r\n\r\n' : undefined;
    });
    const { target, header } = forward(origin);
    await exchange(`GET ${target('/x')} HTTP/1.1\r\n${header}\r\n`);
    using client = await rawClient(daemon.port);
    client.send(`POST ${target('/y')} HTTP/1.1\r\n${header}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
    await client.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
    client.send('{}');
    await client.until(okAtEnd);
    assert.equal(origin.seen.at(-1)?.body, '{}');
  });

  test('a request that has been answered in part is not sent again', async () => {
    let asked = 0;
    await using origin = await rawOrigin(({ socket, number }) => {
      if (number === 1) return ok;
      asked += 1;
      socket.write('HTTP/1.1 20', () => socket.resetAndDestroy());
      return undefined;
    });
    const { target, header } = forward(origin);
    await exchange(`GET ${target('/x')} HTTP/1.1\r\n${header}\r\n`);
    const got = await exchange(`POST ${target('/x')} HTTP/1.1\r\n${header}Content-Length: 2\r\n\r\n{}`, /\r\n\r\n/);
    assert.match(got, /^HTTP\/1\.1 502 /);
    assert.equal(asked, 1);
  });
});
