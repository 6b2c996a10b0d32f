// needs: nginx
/** Bundles of small files as an origin: any part of them, from a real nginx, and only as they were listed. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeBundle, type ListedFile } from '../../src/core/bundle/bundle.ts';
import { planBundles } from '../../src/core/bundle/plan.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { seededRandom } from '../../src/swarm/shared/random.ts';
import { NginxOrigin } from '../support/nginx-origin.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { bytesOf, rejects } from './conformance.ts';

const seed = Number(process.env['DRAGONFLY_SEED'] ?? 7);

describe('a bundle at its origin', () => {
  let directory: TemporaryDirectory;
  let origin: NginxOrigin;
  const sources = new Sources({ logger: silentLogger });
  const contents: Buffer[] = [];
  let whole: Buffer;
  let listed: ListedFile[] = [];
  const { signal } = new AbortController();
  const url = (): string => `${origin.url}/tree/`;
  const open = (files: readonly ListedFile[], part = {}) =>
    sources.open({ url: url(), header: {}, signal, bundle: makeBundle(files), ...part });

  before(async () => {
    directory = await temporaryDirectory();
    origin = await NginxOrigin.start({ directory: directory.path });
    mkdirSync(join(origin.root, 'tree'));
    const random = seededRandom(seed);
    for (let number = 0; number < 120; number += 1) {
      // Empty ones too, one of them at either end; one that fills a block, and one more than that.
      const length =
        number % 17 === 0 || number === 119 ? 0 : Math.floor((number === 60 ? 2 ** 20 : 90_000) * random());
      contents.push(randomBytes(length));
      writeFileSync(join(origin.root, 'tree', `f${number}`), contents[number] ?? '');
    }
    whole = Buffer.concat(contents);
    listed = await Promise.all(
      contents.map(async ({ length: lengthBytes }, number) => {
        const answer = await fetch(`${url()}f${number}`);
        await answer.arrayBuffer();
        const validator = answer.headers.get(number % 2 === 0 ? 'etag' : 'last-modified') ?? undefined;
        return { path: `f${number}`, lengthBytes, validator };
      }),
    );
  });
  after(async () => {
    await sources[Symbol.asyncDispose]();
    await origin?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  it('is its files one behind the other, with one request for each', async () => {
    await origin.settled();
    const asked = (await origin.requestsBelow('/tree/')).length;
    const body = await open(listed);
    assert.deepEqual([body.contentLengthBytes, body.startBytes, body.ranges], [whole.length, 0, true]);
    assert.ok((await bytesOf(body)).equals(whole));
    await origin.settled();
    assert.equal((await origin.requestsBelow('/tree/')).length - asked, listed.length);
  });

  it('gives any part, with the validator of the whole', async () => {
    const random = seededRandom(seed);
    const { validator } = await sources.stat({ url: url(), header: {}, signal, bundle: makeBundle(listed) });
    for (let round = 0; round < 60; round += 1) {
      const start = Math.floor(whole.length * random());
      const length = 1 + Math.floor((round % 3 === 0 ? whole.length : 200_000) * random());
      const body = await open(listed, { range: { start, length }, validator });
      assert.deepEqual([body.startBytes, body.validator], [start, validator]);
      assert.ok(
        (await bytesOf(body)).equals(whole.subarray(start, start + length)),
        `${start}, ${length}, seed ${seed}`,
      );
    }
    assert.ok((await bytesOf(await open(listed, { suffixBytes: 12_345 }))).equals(whole.subarray(-12_345)));
    await rejects(open(listed, { range: { start: whole.length, length: 1 } }), 'RANGE_NOT_SATISFIABLE');
    await rejects(open(listed.slice(1), { validator }), 'SOURCE_CHANGED');
  });

  it('asks for the files of a part alone, whole', async () => {
    await origin.settled();
    const asked = (await origin.requestsBelow('/tree/')).length;
    const { offsetBytes = 0 } = makeBundle(listed).files[41] ?? {};
    const part = await open(listed, { range: { start: offsetBytes + 5, length: 1 } });
    assert.ok((await bytesOf(part)).equals(whole.subarray(offsetBytes + 5, offsetBytes + 6)));
    await origin.settled();
    const requests = (await origin.requestsBelow('/tree/')).slice(asked);
    assert.deepEqual(
      requests.map(({ path, range }) => [path, range]),
      [['/tree/f41', '-']],
    );
  });

  it('fails when a file is not as it was listed: gone, longer, shorter, other, of another time', async () => {
    const changed: readonly [string, Partial<ListedFile>, string][] = [
      ['gone', { path: 'nothing' }, 'SOURCE_STATUS'],
      ['shorter', { lengthBytes: (listed[30]?.lengthBytes ?? 0) + 1 }, 'SOURCE_CHANGED'],
      ['longer', { lengthBytes: (listed[30]?.lengthBytes ?? 0) - 1 }, 'SOURCE_CHANGED'],
      ['other', { digest: `sha256:${'0'.repeat(64)}` }, 'SOURCE_CHANGED'],
      ['tag', { validator: '"other"' }, 'SOURCE_CHANGED'],
      ['time', { validator: 'Tue, 01 Dec 2020 10:33:40 GMT' }, 'SOURCE_CHANGED'],
    ];
    for (const [what, change, code] of changed) {
      const files = listed.map((file, number) => (number === 30 ? { ...file, ...change } : file));
      const read = open(files).then((body) => bytesOf(body));
      await rejects(read, code as Parameters<typeof rejects>[1]).catch((error: unknown) =>
        assert.fail(`${what}: ${String(error)}`),
      );
    }
  });

  it('is none of a page that tells lengths alone, and never half of one file and half of its successor', async () => {
    const planOf = async (page: string) => {
      const files: ListedFile[] = [];
      const below = `${origin.url}/${page}/replaced/`;
      for await (const entry of sources.list({ url: below, header: {}, signal })) {
        const { url: of, contentLengthBytes: lengthBytes, validator, digest } = entry;
        files.push({ path: of.slice(below.length), lengthBytes, validator, digest });
      }
      return planBundles(files).bundles.map(({ bundle }) => ({ url: below, header: {}, signal, bundle }));
    };
    mkdirSync(join(origin.root, 'replaced'));
    const put = (byte: number, time: number): void => {
      for (let number = 0; number < 20; number += 1) {
        const path = join(origin.root, 'replaced', `f${number}`);
        writeFileSync(path, Buffer.alloc(1000, byte));
        utimesSync(path, time, time);
      }
    };
    put(1, 1_700_000_000);
    assert.deepEqual(await planOf('index'), []);
    const [request] = await planOf('index-json');
    assert.ok(request);
    const first = await sources.open({ ...request, range: { start: 0, length: 500 } });
    assert.ok((await bytesOf(first)).equals(Buffer.alloc(500, 1)));
    put(2, 1_700_000_001);
    const second = sources.open({ ...request, validator: first.validator, range: { start: 500, length: 500 } });
    await rejects(second, 'SOURCE_CHANGED');
  });

  it('is none of a listing with a query: nothing would say whose the query is', async () => {
    for (const query of ['?key=x', '?', '#x']) {
      const listing = sources.list({ url: `${origin.url}/index-json/tree/${query}`, header: {}, signal });
      await rejects(listing[Symbol.asyncIterator]().next(), 'INVALID_ARGUMENT');
    }
  });

  it('has no file whose answer does not say which version it is, unless its content does', async () => {
    const server = createServer((_, answer) => answer.end('0123456789'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const read = (file: Partial<ListedFile>) =>
        sources.open({
          url: `http://127.0.0.1:${port}/d/`,
          header: {},
          signal,
          bundle: makeBundle([{ path: 'f', lengthBytes: 10, ...file }]),
        });
      await rejects(read({ validator: '"x"' }), 'SOURCE_CHANGED');
      await rejects(read({ validator: 'Tue, 01 Dec 2020 10:33:40 GMT' }), 'SOURCE_CHANGED');
      const digest = `sha256:${createHash('sha256').update('0123456789').digest('hex')}`;
      assert.equal((await bytesOf(await read({ digest }))).toString(), '0123456789');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  it('asks for nothing more when its reader has gone', async () => {
    await origin.settled();
    const asked = (await origin.requestsBelow('/tree/')).length;
    const body = await open(listed);
    body.cancel();
    await origin.settled();
    const more = (await origin.requestsBelow('/tree/')).length - asked;
    assert.ok(more < listed.length, `${more} of ${listed.length} files were asked for`);
    const stopped = open(listed, { signal: AbortSignal.abort(new Error('gone')) });
    await assert.rejects(stopped);
  });
});
