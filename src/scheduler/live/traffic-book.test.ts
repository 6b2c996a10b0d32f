import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  distributionQuietMs,
  maxDistributionMs,
  maxEndedDistributions,
  maxShareNameLength,
  maxSharesPerKind,
} from '../limits.ts';
import { othersName, TrafficBook } from './traffic-book.ts';

const nodeOf = (name: string) => ({ peerId: name, hostName: name, ip: '10.0.0.1', idc: '', type: 'normal' });
const end = (name: string) => ({ id: name, node: () => nodeOf(name) });
const about = { url: 'http://origin.test/file', tag: '', application: 'shop', contentLength: 100 };
const wordsOf = () => about;

test('shares grow, and a watcher finds those that did since it looked', () => {
  const book = new TrafficBook();
  const shop = book.share('application', 'shop');
  book.grow(shop, { originBytes: 5 });
  assert.equal(book.share('application', 'shop'), shop);
  const seen = book.version;
  book.grow(book.share('tag', 'shop'), { peerBytes: 7, downloads: 1 });
  assert.deepEqual(
    book.sharesSince(seen).map(({ kind, name, peerBytes, downloads }) => [kind, name, peerBytes, downloads]),
    [['tag', 'shop', 7, 1]],
  );
  assert.equal(book.sharesSince(0).length, 2);
});

test('names beyond the bound are one share, so that nobody fills the memory with tags', () => {
  const book = new TrafficBook();
  for (let index = 0; index <= maxSharesPerKind; index += 1)
    book.grow(book.share('tag', `tag-${index}`), { peerBytes: 1 });
  const shares = book.sharesSince(0);
  assert.equal(shares.length, maxSharesPerKind + 1);
  assert.equal(shares.at(-1)?.name, othersName);
  assert.equal(book.share('tag', 'one-more').name, othersName);
  assert.equal(book.share('tag', 'tag-0').name, 'tag-0');
  assert.equal(new TrafficBook().share('tag', 'x'.repeat(10_000)).name.length, maxShareNameLength);
});

test('a distribution begins with the first download and is over when nobody has downloaded for a while', () => {
  const book = new TrafficBook();
  book.began('t', nodeOf('fast'), 1_000);
  book.began('t', nodeOf('slow'), 1_500);
  book.moved('t', { to: end('fast'), parent: undefined, pieces: 4, bytes: 100 }, 2_000);
  book.moved('t', { to: end('slow'), parent: end('fast'), pieces: 4, bytes: 100 }, 2_500);
  book.finished('t', { peerId: 'fast', node: 'fast', tookMs: 1_000 }, 2_000);
  book.over('t');
  book.look(2_000 + distributionQuietMs, wordsOf);
  assert.deepEqual(book.endedSince(0), [], 'the other still downloads');
  book.finished('t', { peerId: 'slow', node: 'slow', tookMs: 2_500 }, 4_000);
  book.over('t');
  book.look(4_000 + distributionQuietMs - 1, wordsOf);
  assert.deepEqual(book.endedSince(0), []);
  book.look(4_000 + distributionQuietMs, wordsOf);
  const [ended, ...more] = book.endedSince(0);
  assert.deepEqual(more, []);
  assert.deepEqual(ended, {
    number: 1,
    taskId: 't',
    startedAtMs: 1_000,
    endedAtMs: 4_000,
    downloads: 2,
    failures: 0,
    originBytes: 100,
    peerBytes: 100,
    lastNode: 'slow',
    slowestMs: 2_500,
    medianMs: 2_500,
    about,
  });
  // A later download of the same task is another distribution. A peer that found it on its own disk distributed nothing.
  book.began('t', nodeOf('peer'), 60_000);
  book.finished('t', { peerId: 'fast', node: 'fast', tookMs: 1 }, 60_001);
  book.over('t');
  book.look(120_000, wordsOf);
  assert.deepEqual(book.endedSince(1), []);
});

test('one that never ends is told of in parts, and ended ones are bounded', () => {
  const book = new TrafficBook();
  book.began('t', nodeOf('peer'), 0);
  book.moved('t', { to: end('peer'), parent: undefined, pieces: 1, bytes: 1 }, 1);
  book.look(maxDistributionMs, wordsOf);
  assert.equal(book.endedSince(0).length, 1);
  book.failed('t', 'peer', maxDistributionMs + 5);
  book.over('t');
  book.look(maxDistributionMs + 5 + distributionQuietMs, wordsOf);
  assert.deepEqual(
    book.endedSince(1).map(({ startedAtMs, failures, originBytes }) => [startedAtMs, failures, originBytes]),
    [[maxDistributionMs, 1, 0]],
  );
  for (let index = 0; index < maxEndedDistributions; index += 1) {
    book.began(`t${index}`, nodeOf('peer'), 0);
    book.failed(`t${index}`, 'peer', 0);
    book.over(`t${index}`);
  }
  book.look(maxDistributionMs, wordsOf);
  const ended = book.endedSince(0);
  assert.deepEqual([ended.length, ended[0]?.number], [maxEndedDistributions, 3]);
});
