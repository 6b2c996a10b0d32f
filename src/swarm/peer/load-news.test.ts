import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LoadNews } from './load-news.ts';
import { loadNewsMs, soleLoadNewsMs } from './transfer-timing.ts';

test('the first news is due at once, what is known is not news, and the next may wait a while where there is one child', () => {
  const news = new LoadNews();
  assert.equal(news.dueMs(0, 1), Infinity);
  assert(news.dueMs(1, 1) < 0);
  news.tell(1, 1000);
  assert.equal(news.told, 1);
  assert.equal(news.dueMs(1, 1), Infinity);
  assert.equal(news.dueMs(0, 1), 1000 + soleLoadNewsMs);
  assert.equal(news.dueMs(0, 2), 1000 + loadNewsMs, 'two children have not asked for all of it themselves');
});

test('a child that was refused hears soon, until it has heard that there is less to do', () => {
  const news = new LoadNews();
  news.tell(2, 1000);
  news.refused();
  assert.equal(news.dueMs(3, 1), 1000 + loadNewsMs);
  news.tell(3, 1010);
  assert.equal(news.dueMs(2, 1), 1010 + loadNewsMs, 'more to do is not what it waits for');
  news.tell(2, 1020);
  assert.equal(news.dueMs(1, 1), 1020 + soleLoadNewsMs);
});
