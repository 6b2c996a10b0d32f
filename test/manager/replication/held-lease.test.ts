/** A lease stays with who works, however long, and goes to somebody else when he rests. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '../../../src/core/process/logger.ts';
import { Database } from '../../../src/manager/db/database.ts';
import { HeldLease } from '../../../src/manager/db/held-lease.ts';
import { acquireLease } from '../../../src/manager/db/leases.ts';
import { databaseConfig, eventually } from '../support/engines.ts';

const name = 'work';
const ttlMs = 600;

async function openLease(parts: { isBusy: () => boolean; onLost?: () => void }) {
  const database = await Database.open(databaseConfig({ sqlite: { path: ':memory:' } }));
  const lease = new HeldLease({
    database,
    name,
    ttlMs,
    owner: 'one',
    logger: silentLogger,
    onLost: () => undefined,
    ...parts,
  });
  return {
    lease,
    database,
    taken: () => acquireLease(database, name, 'other', ttlMs),
    [Symbol.asyncDispose]: async () => {
      await lease[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

test('it is renewed for as long as there is work, and lapses after it', async () => {
  let busy = true;
  await using opened = await openLease({ isBusy: () => busy });
  assert.ok(await opened.lease.acquire());
  const endMs = performance.now() + 3 * ttlMs;
  while (performance.now() < endMs) {
    assert.ok(!(await opened.taken()), 'three times as long as it lasts');
    await delay(50);
  }
  busy = false;
  await eventually(async () => assert.ok(await opened.taken()), 5_000);
  assert.ok(!(await opened.lease.acquire()));
});

test('who loses it in the middle of his work is told', async () => {
  const { promise: lost, resolve } = Promise.withResolvers<void>();
  await using opened = await openLease({ isBusy: () => true, onLost: resolve });
  assert.ok(await opened.lease.acquire());
  // As after a pause of the process that was longer than the lease.
  await opened.database.db.updateTable('lease').set({ owner: 'other' }).where('name', '=', name).execute();
  await lost;
});

test('it is free at once when its holder closes', async () => {
  const opened = await openLease({ isBusy: () => true });
  assert.ok(await opened.lease.acquire());
  await opened.lease[Symbol.asyncDispose]();
  assert.ok(await opened.taken());
  await opened.database[Symbol.asyncDispose]();
});
