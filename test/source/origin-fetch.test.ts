/** A run of pieces from an origin that gives each connection only so much. */
import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { readSync } from 'node:fs';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import type { SourceObject } from '../../src/dfdaemon/source/source.ts';
import { Sources } from '../../src/dfdaemon/source/sources.ts';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { OriginFetch } from '../../src/dfdaemon/task/origin/origin-fetch.ts';
import { HttpOrigin, type OriginFile } from '../support/http-origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const mib = 2 ** 20;
const pieceLengthBytes = 4 * mib;
const content = randomFillSync(Buffer.allocUnsafeSlow(144 * mib + 5));

interface Fetched {
  readonly ranges: readonly (string | undefined)[];
  /** Body bytes over the length of the content. */
  readonly copies: number;
  readonly right: boolean;
}

interface Hooks {
  /** Called with what the origin holds, right before more requests are sent. */
  onAnswer?(held: OriginFile, answer: SourceObject): void;
  onBegun?(origin: HttpOrigin): void;
  readonly digestDecides?: boolean;
}

async function fetchAll(
  file: Partial<OriginFile>,
  connections: number,
  { onAnswer, onBegun, digestDecides }: Hooks = {},
): Promise<Fetched> {
  await using directory = await temporaryDirectory('dragonfly-origin-');
  await using origin = await HttpOrigin.start();
  await using sources = new Sources({ logger: silentLogger });
  await using store = await TaskStore.open({ directory: directory.path });
  const held: OriginFile = { content, ...file };
  const url = origin.add('/content', held);
  const stored = store.open('ab'.repeat(32), { url });
  let answers = 0;
  await new OriginFetch({
    source: { url, header: {} },
    digestDecides,
    first: 0,
    end: undefined,
    pieceLengthBytes,
    sources,
    connections,
    limiters: () => [],
    makeRoom: () => Promise.resolve(),
    stored,
    signal: AbortSignal.timeout(60_000),
    onAnswer: (answer) => (answers += 1) === 1 && onAnswer?.(held, answer),
    onBegun: () => onBegun?.(origin),
    onGivenUp: () => undefined,
    onBytes: () => undefined,
    mayRetry: (failure) => Promise.reject(failure),
  }).run();
  const asked = origin.requestsFor('/content');
  const bytes = asked.reduce((sum, request) => sum + request.bytes, 0);
  const use = stored.content.acquire();
  const got = Buffer.allocUnsafeSlow(content.length);
  for (let at = 0; at < got.length;) at += readSync(use.fd, got, at, got.length - at, at);
  use.release();
  return { ranges: asked.map(({ range }) => range), copies: bytes / content.length, right: got.equals(content) };
}

test('one connection: one request, without a range', async () => {
  assert.deepEqual(await fetchAll({}, 1), { ranges: [undefined], copies: 1, right: true });
});

test('a piece has begun before its first byte is here, so that others can ask for it', async () => {
  const onBegun = (origin: HttpOrigin): void => origin.release('/content', Infinity);
  assert((await fetchAll({ gated: true }, 1, { onBegun })).right);
});

test('several connections take disjoint parts of one object', async () => {
  const { ranges, copies, right } = await fetchAll({}, 4);
  assert(right);
  assert.equal(ranges.length, 4);
  assert.equal(ranges[0], undefined, 'nobody asks for parts before the origin has told that it gives them');
  // A connection that has its part is closed while more is on its way.
  assert(copies < 1.3, `${copies} copies`);
});

test('an origin without ranges is read by one connection', async () => {
  assert.deepEqual(await fetchAll({ noRanges: true }, 4), { ranges: [undefined], copies: 1, right: true });
});

test('an origin that answers a part with everything gets no more such requests', async () => {
  const { ranges, right } = await fetchAll({}, 4, { onAnswer: (held) => (held.noRanges = true) });
  assert(right);
  assert(ranges.length >= 4);
});

test('an object that changes while its parts are fetched is an error', async () => {
  await assert.rejects(fetchAll({}, 4, { onAnswer: (held) => (held.etag = '"2"') }), { code: 'SOURCE_CHANGED' });
});

test('replicas with validators of their own are one object where a digest decides at the end', async () => {
  const onAnswer = (held: OriginFile): void => void (held.etag = '"of another replica"');
  assert((await fetchAll({}, 4, { onAnswer, digestDecides: true })).right);
});

test('an entity tag without quotes is compared with the entity tag, and the object has not changed', async () => {
  const { ranges, right } = await fetchAll({ etag: '5e8f0c2ab1d94f7f9c' }, 4);
  assert(right);
  assert.equal(ranges.length, 4);
});
