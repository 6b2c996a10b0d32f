import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OwnFetch } from './own-fetch.ts';

const nothing = { inHand: undefined };
const ask = () => Promise.resolve(nothing);
const stateOf = (promise: Promise<boolean>): Promise<boolean | 'open'> =>
  Promise.race([promise, new Promise<'open'>((resolve) => setImmediate(resolve, 'open'))]);

test('a request that has been withdrawn is not sent, and closes the origin in the same moment', async () => {
  const own = new OwnFetch(ask, undefined);
  assert.equal(await own.othersMayAsk(), true);
  assert.equal(own.withdraw(), true);
  const may = own.othersMayAsk();
  assert.equal(await own.take(new AbortController().signal), undefined);
  assert.equal(await stateOf(may), 'open');
  own.decide(true);
  assert.equal(await may, true);
  assert.equal(await own.othersMayAsk(), true);
});

test('where the download is not for the client, nothing is asked for at all', async () => {
  const own = new OwnFetch(ask, undefined);
  own.withdraw();
  own.decide(false);
  own.decide(true);
  assert.equal(await own.othersMayAsk(), false);
});

test('a request that has been sent cannot be withdrawn, and what comes after its answer may be asked for', async () => {
  const own = new OwnFetch(ask, undefined);
  await assert.rejects(own.take(new AbortController().signal), { code: 'CANCELLED' });
  assert.equal(own.withdraw(), false);
  assert.equal(await own.outcome, nothing);
  assert.equal(await own.othersMayAsk(), true);
});

test('beside another client’s equal request the origin is closed from the start', async () => {
  const own = new OwnFetch(undefined, { first: 1, last: 2 });
  assert.equal(await stateOf(own.othersMayAsk()), 'open');
  assert.equal(await own.take(new AbortController().signal), undefined);
  own.decide(true);
  assert.equal(await own.othersMayAsk(), true);
});
