/** How replicas hear of changes, on any engine. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../../src/core/process/logger.ts';
import type { DatabaseConfig } from '../../../src/manager/config.ts';
import { ChangeFeed } from '../../../src/manager/db/change-feed.ts';
import { Database } from '../../../src/manager/db/database.ts';
import { acquireLease, releaseLease } from '../../../src/manager/db/leases.ts';
import { eventually } from './engines.ts';

export function changeFeedSuite(newDatabase: () => Promise<DatabaseConfig>): void {
  test('every replica hears of each change once', async () => {
    const config = await newDatabase();
    await using one = await Database.open(config);
    await using two = await Database.open(config);
    await using first = await ChangeFeed.create(one, silentLogger);
    await using second = await ChangeFeed.create(two, silentLogger);
    const heard: [string[], string[]] = [[], []];
    first.subscribe(({ topic, entityId }) => heard[0].push(`${topic} ${entityId}`));
    second.subscribe(({ topic, entityId }) => heard[1].push(`${topic} ${entityId}`));
    for (let id = 1; id <= 3; id += 1) await (id === 2 ? second : first).write('job', id, () => Promise.resolve());
    await eventually(() =>
      assert.deepEqual(heard, [
        ['job 1', 'job 2', 'job 3'],
        ['job 1', 'job 2', 'job 3'],
      ]),
    );
  });

  test('a change whose transaction ends after a later one is not missed', async (context) => {
    const config = await newDatabase();
    await using database = await Database.open(config);
    if (database.engine === 'sqlite') return context.diagnostic('SQLite has one writer at a time');
    await using feed = await ChangeFeed.create(database, silentLogger);
    const heard: number[] = [];
    feed.subscribe(({ entityId }) => heard.push(entityId));
    const { promise: later, resolve: endLater } = Promise.withResolvers<void>();
    const { promise: recorded, resolve: didRecord } = Promise.withResolvers<void>();
    const slow = database.transaction(async (transaction) => {
      await feed.record(transaction, 'job', 1);
      didRecord();
      await later;
    });
    await recorded;
    await feed.write('job', 2, () => Promise.resolve());
    assert.deepEqual(heard, [2]);
    endLater();
    await slow;
    await eventually(() => assert.deepEqual(heard, [2, 1]));
  });

  test('of several that want a lease one gets it, and another after it was given back or expired', async () => {
    await using database = await Database.open(await newDatabase());
    const results = await Promise.all(['a', 'b', 'c', 'd'].map((owner) => acquireLease(database, 'l', owner, 60_000)));
    assert.equal(results.filter(Boolean).length, 1);
    const holder = ['a', 'b', 'c', 'd'][results.indexOf(true)] ?? '';
    assert.equal(await acquireLease(database, 'l', holder, 60_000), true);
    assert.equal(await acquireLease(database, 'l', 'e', 60_000), false);
    await releaseLease(database, 'l', holder);
    assert.equal(await acquireLease(database, 'l', 'e', -1), true);
    assert.equal(await acquireLease(database, 'l', 'f', 60_000), true);
  });

  test('replicas that start at once on an empty database bring it up to date together', async () => {
    const config = await newDatabase();
    const databases = await Promise.all([Database.open(config), Database.open(config), Database.open(config)]);
    const applied = await databases[0].db.selectFrom('job').selectAll().execute();
    assert.deepEqual(applied, []);
    for (const database of databases) await database[Symbol.asyncDispose]();
  });
}
