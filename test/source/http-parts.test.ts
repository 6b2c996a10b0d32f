/** Origins whose partial answers are not the part that was asked for, or say so in other words. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it, type TestContext } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import type { SourceRequest } from '../../src/dfdaemon/source/source.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { bytesOf, rejects } from './conformance.ts';
import { OddServer, type OddRequest } from './odd-server.ts';

const content = randomBytes(300_000);

interface Part {
  readonly first: number;
  readonly last: number;
}

/** @param header of the answer: status, Content-Range and what else there is; Content-Length is added. */
function part({ first, last }: Part, header: (place: string) => string): string {
  const body = content.subarray(first, last + 1).toString('latin1');
  const head = header(`bytes ${first}-${last}/${content.length}`);
  return `HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const usual = (place: string): string => `206 Partial Content\r\nETag: "a"\r\nContent-Range: ${place}`;

function asked({ header }: OddRequest): Part {
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(header['range'] ?? '') ?? [];
  return { first: Number(first ?? 0), last: Math.min(Number(last || Infinity), content.length - 1) };
}

describe('http origins whose parts are not as they were asked for', () => {
  const withOrigin = async (
    t: TestContext,
    answer: (request: OddRequest) => string,
  ): Promise<{ origin: OddServer; open: (more?: Partial<SourceRequest>) => ReturnType<Sources['open']> }> => {
    const origin = await OddServer.start(answer);
    const sources = new Sources({ logger: silentLogger });
    t.after(async () => {
      await sources[Symbol.asyncDispose]();
      await origin[Symbol.asyncDispose]();
    });
    const request = { url: `${origin.url}/file`, header: {}, signal: t.signal };
    return { origin, open: (more = {}) => sources.open({ ...request, ...more }) };
  };
  const range = { start: 70_000, length: 150_000 };
  const wanted = content.subarray(70_000, 220_000);

  const kinds: readonly [string, (request: OddRequest) => string, requests: number][] = [
    [
      'shorter',
      (request) => {
        const { first, last } = asked(request);
        return part({ first, last: Math.min(last, first + 49_999) }, usual);
      },
      3,
    ],
    [
      'aligned to blocks',
      (request) => {
        const { first, last } = asked(request);
        return part({ first: first - (first % 65_536), last: Math.min(last + 1000, content.length - 1) }, usual);
      },
      1,
    ],
    ['answered 200', (request) => part(asked(request), (place) => `200 OK\r\nContent-Range: ${place}`), 1],
    [
      'in a unit of other letters',
      (request) => part(asked(request), (place) => `206 X\r\nContent-Range: ${place.replace('bytes ', 'Bytes=')}`),
      1,
    ],
  ];
  for (const [name, answer, requests] of kinds) {
    it(`delivers exactly what was asked for, of one that is ${name}`, async (t) => {
      const { origin, open } = await withOrigin(t, answer);
      const body = await open({ range });
      assert.deepEqual(
        [body.contentLengthBytes, body.startBytes, body.lengthBytes, body.ranges],
        [content.length, range.start, range.length, true],
      );
      assert.ok((await bytesOf(body)).equals(wanted));
      assert.equal(origin.requests.length, requests);
    });
  }

  it('takes a part that is everything for the whole', async (t) => {
    const { open } = await withOrigin(t, () => part({ first: 0, last: content.length - 1 }, usual));
    assert.ok((await bytesOf(await open())).equals(content));
  });

  it('never puts parts of two versions together', async (t) => {
    let version = 0;
    const { open } = await withOrigin(t, (request) => {
      const { first } = asked(request);
      version += 1;
      const header = (place: string): string => usual(place).replace('"a"', `"${version}"`);
      return part({ first, last: first + 9_999 }, header);
    });
    await rejects(bytesOf(await open({ range })), 'SOURCE_CHANGED');
  });

  it('refuses a part that does not hold what was asked for, first or later', async (t) => {
    const { open } = await withOrigin(t, () => part({ first: 70_000, last: 79_999 }, usual));
    await rejects(open({ range: { start: 80_000, length: 10 } }), 'PROTOCOL');
    await rejects(open(), 'PROTOCOL');
    await rejects(bytesOf(await open({ range })), 'PROTOCOL');
  });
});
