/** What every source must do, whatever its protocol. A fixture puts objects at a real origin and names their URLs. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, describe, it, type TestContext } from 'node:test';
import { DragonflyError } from '../../src/core/errors.ts';
import type { SourceBody, SourceOptions, SourceRequest } from '../../src/dfdaemon/source/source.ts';
import type { Sources } from '../../src/dfdaemon/source/sources.ts';

export interface Origin {
  /** Writes the object and returns its URL. */
  put(name: string, content: Buffer): Promise<string>;
  /** Credentials and settings the origin asks for. */
  readonly options: SourceOptions;
  readonly sources: Sources;
  /** URL of a directory holding exactly these objects; undefined where the protocol has no directories. */
  directory?(contents: Readonly<Record<string, Buffer>>): Promise<string>;
  /** Credentials the origin refuses. */
  readonly badOptions?: SourceOptions;
  close(): Promise<void>;
}

/** What not every protocol has. */
export interface Abilities {
  readonly credentials?: boolean;
  readonly directories?: boolean;
}

export interface Suite {
  readonly open: () => Promise<Origin>;
  /** Why the origin cannot be had on this machine. */
  readonly skip?: string | undefined;
}

export function sourceConformance(name: string, { open, skip, credentials, directories }: Suite & Abilities): void {
  describe(`source conformance: ${name}`, { skip: skip ?? false }, () => {
    let origin: Origin;
    before(async () => {
      origin = await open();
    });
    after(() => origin?.close());

    const request = (url: string, t: TestContext, more: Partial<SourceRequest> = {}): SourceRequest => ({
      ...origin.options,
      url,
      signal: t.signal,
      ...more,
    });

    for (const size of [0, 1, 4096, 4 * 1024 * 1024 - 1, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1, 20_000_000]) {
      it(`delivers ${size} bytes, with length and validator`, async (t) => {
        const content = randomBytes(size);
        const url = await origin.put(`whole-${size}`, content);
        const body = await origin.sources.open(request(url, t));
        assert.equal(body.startBytes, 0);
        assert.equal(body.lengthBytes, size);
        assert.equal(body.contentLengthBytes, size);
        assert.ok(body.validator);
        assert.equal(sha256(await bytesOf(body)), sha256(content));
      });
    }

    it('delivers exactly the range that was asked for', async (t) => {
      const content = randomBytes(3_000_000);
      const url = await origin.put('ranged', content);
      for (const range of [
        { start: 0, length: 1 },
        { start: 1, length: 2_500_000 },
        { start: 2_999_999, length: 1 },
        { start: 2_000_000, length: 5_000_000 },
        { start: 2_999_000, length: Number.MAX_SAFE_INTEGER - 2_999_000 },
      ]) {
        const body = await origin.sources.open(request(url, t, { range }));
        const expected = content.subarray(range.start, range.start + range.length);
        assert.equal(body.ranges, true);
        assert.equal(body.startBytes, range.start);
        assert.equal(body.lengthBytes, expected.length);
        assert.equal(body.contentLengthBytes, content.length);
        assert.ok((await bytesOf(body)).equals(expected));
      }
    });

    it('refuses a range behind the end', async (t) => {
      const url = await origin.put('short', Buffer.from('short'));
      await rejects(origin.sources.open(request(url, t, { range: { start: 5, length: 1 } })), 'RANGE_NOT_SATISFIABLE');
    });

    it('tells metadata without the content', async (t) => {
      const url = await origin.put('stat', randomBytes(1_000_000));
      const object = await origin.sources.stat(request(url, t));
      assert.equal(object.contentLengthBytes, 1_000_000);
      assert.equal(object.ranges, true);
      assert.ok(object.validator);
      assert.equal(object.header['set-cookie'], undefined);
      const empty = await origin.sources.stat(request(await origin.put('stat-empty', Buffer.alloc(0)), t));
      assert.equal(empty.contentLengthBytes, 0);
    });

    it('reads ranges of an unchanged object with its validator', async (t) => {
      const url = await origin.put('same', Buffer.from('0123456789'));
      const { validator } = await origin.sources.stat(request(url, t));
      const body = await origin.sources.open(request(url, t, { validator, range: { start: 2, length: 3 } }));
      assert.equal((await bytesOf(body)).toString(), '234');
    });

    it('notices that the object has changed', async (t) => {
      const url = await origin.put('changing', Buffer.from('first version'));
      const { validator } = await origin.sources.stat(request(url, t));
      await origin.put('changing', Buffer.from('second version, longer'));
      await rejects(
        origin.sources.open(request(url, t, { validator, range: { start: 2, length: 3 } })),
        'SOURCE_CHANGED',
      );
    });

    it('passes on that the object does not exist', async (t) => {
      const url = `${await origin.put('exists', Buffer.from('x'))}-not`;
      const error = await rejects(origin.sources.open(request(url, t)), 'SOURCE_STATUS');
      assert.equal(error.details?.statusCode, 404);
      assert.ok(error.hint);
    });

    if (credentials)
      it('refuses wrong credentials', async (t) => {
        assert.ok(origin.badOptions);
        const url = await origin.put('private', Buffer.from('x'));
        const error = await rejects(origin.sources.open(request(url, t, origin.badOptions)), 'SOURCE_STATUS');
        assert.ok([401, 403].includes(error.details?.statusCode ?? 0), `status ${error.details?.statusCode}`);
      });

    it('waits for a slow sink and hands on large blocks in order', async (t) => {
      const content = randomBytes(8_000_000);
      const body = await origin.sources.open(request(await origin.put('slow-sink', content), t));
      const hash = createHash('sha256');
      let inSink = 0;
      let blocks = 0;
      await body.readTo(async (block) => {
        assert.equal((inSink += 1), 1, 'the sink is called one block at a time');
        const before = sha256(block);
        await new Promise((resolve) => setImmediate(resolve));
        assert.equal(sha256(block), before, 'the block stays untouched until the sink is done');
        hash.update(block);
        blocks += 1;
        inSink -= 1;
      });
      assert.equal(hash.digest('hex'), sha256(content));
      assert.ok(blocks <= content.length / (64 * 1024), `${blocks} blocks`);
    });

    it('passes on what the sink throws', async (t) => {
      const url = await origin.put('full-disk', randomBytes(5_000_000));
      const full = Object.assign(new Error('no space left'), { code: 'ENOSPC' });
      const sinks = [
        () => Promise.reject(full),
        () => {
          throw full;
        },
      ];
      for (const sink of sinks) {
        const body = await origin.sources.open(request(url, t));
        await assert.rejects(body.readTo(sink), (error) => error === full);
      }
    });

    it('stops when it is told to', async (t) => {
      const url = await origin.put('cancelled', randomBytes(5_000_000));
      const controller = new AbortController();
      const body = await origin.sources.open({ ...request(url, t), signal: controller.signal });
      await rejects(
        body.readTo(() => controller.abort()),
        'CANCELLED',
      );
      const dropped = await origin.sources.open(request(url, t));
      dropped.cancel();
    });

    if (directories)
      it('lists a directory', async (t) => {
        assert.ok(origin.directory);
        const contents = { 'a.bin': randomBytes(10), 'b c.bin': randomBytes(2000), 'sub/d.bin': randomBytes(5) };
        const url = await origin.directory(contents);
        const found: Record<string, number> = {};
        const walk = async (directory: string): Promise<void> => {
          for await (const entry of origin.sources.list(request(directory, t))) {
            assert.ok(entry.url.startsWith(directory), `${entry.url} is not named as ${directory} was`);
            if (entry.isDirectory) await walk(entry.url);
            else
              found[sha256(await bytesOf(await origin.sources.open(request(entry.url, t))))] = entry.contentLengthBytes;
          }
        };
        await walk(url);
        const expected = Object.fromEntries(
          Object.values(contents).map((content) => [sha256(content), content.length]),
        );
        assert.deepEqual(found, expected);
      });
  });
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export async function bytesOf(body: SourceBody): Promise<Buffer> {
  const parts: Buffer[] = [];
  await body.readTo((block) => {
    parts.push(Buffer.from(block));
  });
  return Buffer.concat(parts);
}

export async function rejects(work: Promise<unknown>, code: DragonflyError['code']): Promise<DragonflyError> {
  const error: unknown = await work.then(
    () => assert.fail(`expected ${code}`),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof DragonflyError, String(error));
  assert.equal(error.code, code, error.message);
  return error;
}
