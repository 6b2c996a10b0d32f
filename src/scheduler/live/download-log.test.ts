import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maxEndedDownloads, maxSourcesPerDownload } from '../limits.ts';
import { DownloadLog } from './download-log.ts';

function add(log: DownloadLog, sources: { hostName: string; pieces: number }[] = []): void {
  log.add({
    taskId: 'a'.repeat(64),
    hostId: 'host-1',
    hostName: 'node-1',
    startedAtMs: 1,
    endedAtMs: 2,
    succeeded: true,
    originBytes: 0,
    peerBytes: 10,
    sources,
    about: { url: 'http://origin/file', tag: '', application: '', contentLength: 10 },
  });
}

const numbers = (log: DownloadLog, since: number): number[] => log.since(since).map(({ number }) => number);

test('a watcher gets what ended since it looked last, oldest first', () => {
  const log = new DownloadLog();
  assert.deepEqual(numbers(log, 0), []);
  for (let count = 0; count < 3; count += 1) add(log);
  assert.deepEqual(numbers(log, 0), [1, 2, 3]);
  assert.deepEqual(numbers(log, 2), [3]);
  assert.deepEqual(numbers(log, 3), []);
});

test('the oldest are forgotten', () => {
  const log = new DownloadLog();
  for (let count = 0; count < maxEndedDownloads + 2; count += 1) add(log);
  const known = numbers(log, 0);
  assert.equal(known.length, maxEndedDownloads);
  assert.deepEqual([known[0], known.at(-1)], [3, maxEndedDownloads + 2]);
  assert.deepEqual(numbers(log, maxEndedDownloads + 1), [maxEndedDownloads + 2]);
});

test('those who gave most are named first, and not all', () => {
  const log = new DownloadLog();
  const givers = Array.from({ length: maxSourcesPerDownload + 3 }, (_, pieces) => ({ hostName: `n${pieces}`, pieces }));
  add(log, givers);
  const [ended] = log.since(0);
  assert.equal(ended?.sources.length, maxSourcesPerDownload);
  assert.deepEqual(ended?.sources[0], givers.at(-1));
});
