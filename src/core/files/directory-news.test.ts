import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { DirectoryNews } from './directory-news.ts';

const long = { settleMs: 10, longestMs: 3_600_000 };
const never = new AbortController().signal;

test('a change is told, once, also one that came while nobody waited', { timeout: 60_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'df-news-'));
  try {
    using news = new DirectoryNews(directory);
    writeFileSync(join(directory, 'a'), '1');
    await news.next(long, never);
    const waiting = news.next(long, never);
    writeFileSync(join(directory, 'a'), '2');
    await waiting;
    await news.next({ settleMs: 10, longestMs: 1 }, never);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('time tells where nothing can be watched, and the end comes at once', { timeout: 60_000 }, async () => {
  using news = new DirectoryNews('/nowhere/at/all');
  await news.next({ settleMs: 10, longestMs: 1 }, never);
  await news.next(long, AbortSignal.abort());
  const stop = new AbortController();
  const waiting = news.next(long, stop.signal);
  stop.abort();
  await waiting;
  assert.ok(stop.signal.aborted);
});
