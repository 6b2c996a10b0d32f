/** What the manager records of versions, on every database it runs on, with two replicas. */
// needs: mariadbd
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { ChangeFeed } from '../../src/manager/db/change-feed.ts';
import { Database } from '../../src/manager/db/database.ts';
import { comingPackMs, maxReleaseNamesOfHost, maxSubscribersOfHost } from '../../src/manager/limits.ts';
import { ComingPacks, type NewComingPack } from '../../src/manager/releases/coming-packs.ts';
import { ReleaseStore, tasksOf, type NewRelease } from '../../src/manager/releases/release-store.ts';
import { ReleaseWatch } from '../../src/manager/releases/release-watch.ts';
import { engineKinds, type TestEngine } from '../manager/support/engines.ts';

const page = { page: 1, perPage: 100 };

function release(name: string, version: string, more: Partial<NewRelease> = {}): NewRelease {
  return {
    name,
    version,
    content_digest: `sha256:${'a'.repeat(64)}`,
    manifest_task_id: 'b'.repeat(64),
    manifest_digest: `sha256:${'c'.repeat(64)}`,
    content_length: 2 ** 40,
    new_length: 2 ** 33,
    file_count: 3,
    replicas: 2,
    task_ids: ['b'.repeat(64)],
    publisher: '0@127.0.0.1-node',
    host_id: '127.0.0.1-node',
    public_key: '',
    signature: '',
    expires_at: Date.now() + 3_600_000,
    ...more,
  };
}

function coming(name: string, task: string): NewComingPack {
  return { name, version: 'v1', task_id: task.repeat(64), host_id: 'node', public_key: '', signature: '' };
}

for (const { name, missing, start } of engineKinds) {
  describe(`versions in ${name}`, { skip: missing, timeout: 120_000 }, () => {
    let engine: TestEngine;
    const owned = new AsyncDisposableStack();
    const replicas: { store: ReleaseStore; watch: ReleaseWatch; coming: ComingPacks; database: Database }[] = [];
    before(async () => {
      engine = owned.use(await start());
      const config = await engine.newDatabase();
      for (let count = 0; count < 2; count += 1) {
        const database = owned.use(await Database.open(config));
        const changes = owned.use(await ChangeFeed.create(database, silentLogger));
        const store = new ReleaseStore(database, changes);
        const watch = new ReleaseWatch(store, changes, silentLogger);
        replicas.push({ store, watch, coming: new ComingPacks(database, changes, silentLogger), database });
      }
    });
    after(() => owned.disposeAsync());
    const store = (): ReleaseStore => replicas[0]?.store ?? assert.fail();

    test('a version is found by its name, the last one without; it never changes, and the same is no error', async () => {
      const first = await store().add(release('m', 'v1'));
      const second = await store().add(release('m', 'v2'));
      assert.ok(second.id > first.id);
      assert.equal((await store().find('m', undefined))?.version, 'v2');
      assert.equal((await store().find('m', 'v1'))?.id, first.id);
      assert.equal(await store().find('m', 'v3'), undefined);
      assert.deepEqual(await store().add(release('m', 'v1')), first);
      const other = release('m', 'v1', { content_digest: `sha256:${'d'.repeat(64)}` });
      await assert.rejects(store().add(other), { code: 'ALREADY_EXISTS' });
      const { rows, total } = await store().list({ name: 'm' }, page);
      assert.deepEqual([rows.map(({ version }) => version), total], [['v2', 'v1'], 2]);
      assert.deepEqual([first.content_length, tasksOf(first)], [2 ** 40, ['b'.repeat(64)]]);
    });

    test('of two that publish one version at once with other content one is told so', async () => {
      const [one] = replicas;
      const other = name === 'sqlite' ? one : replicas[1]; // an embedded database has one replica
      assert.ok(one && other);
      const answers = await Promise.allSettled([
        one.store.add(release('race', 'v1')),
        other.store.add(release('race', 'v1', { content_digest: `sha256:${'e'.repeat(64)}` })),
      ]);
      const failed = answers.flatMap((answer) =>
        answer.status === 'rejected' ? [answer.reason as { code: string }] : [],
      );
      assert.deepEqual(
        failed.map(({ code }) => code),
        ['ALREADY_EXISTS'],
      );
      assert.equal((await store().list({ name: 'race' }, page)).total, 1);
      const same = release('race', 'v2');
      const [mine, theirs] = await Promise.all([one.store.add(same), other.store.add(same)]);
      assert.deepEqual(mine, theirs);
    });

    test('a name that was signed takes no other key until its versions are gone', async () => {
      await store().add(release('s', 'v0'));
      await store().add(release('s', 'v1', { public_key: 'ours', signature: 'x' }));
      for (const key of ['', 'theirs'])
        await assert.rejects(store().add(release('s', 'v2', { public_key: key })), { code: 'PERMISSION_DENIED' });
      await store().remove('s', 'v1');
      await store().add(release('s', 'v2', { public_key: 'theirs' }));
    });

    test('with a version go the tasks that no other version of the name has', async () => {
      await store().add(release('t', 'v1', { task_ids: ['1', '2'] }));
      await store().add(release('t', 'v2', { task_ids: ['2', '3'] }));
      assert.deepEqual(await store().remove('t', 'v1'), ['1']);
      assert.deepEqual(await store().remove('t', 'v2'), ['2', '3']);
      await assert.rejects(store().remove('t', 'v2'), { code: 'NOT_FOUND' });
    });

    test('the last word of a subscriber is what is known of it', async () => {
      const report = {
        name: 'm',
        hostId: 'h',
        path: `/${'p'.repeat(4000)}`,
        version: 'v1',
        state: 'fetching',
        error: '',
      };
      await store().report(report);
      await store().report({ ...report, version: 'v2', state: 'failed', error: 'why' });
      for (const unknown of [{ name: 'nobody-published' }, { version: 'v9' }])
        await assert.rejects(store().report({ ...report, ...unknown }), { code: 'NOT_FOUND' });
      await store().report({ ...report, hostId: 'other' });
      const { rows, total } = await store().subscribers('m', page);
      assert.equal(total, 2);
      const [known] = rows.filter(({ host_id: id }) => id === 'h');
      assert.deepEqual([known?.version, known?.state, known?.error], ['v2', 'failed', 'why']);
    });

    test('one host brings so many names and follows so many times, and no more; others go on', async () => {
      const { database } = replicas[0] ?? assert.fail();
      const now = Date.now();
      const times = { created_at: now, updated_at: now };
      const many = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
      const names = many(maxReleaseNamesOfHost).map((index) => {
        const { task_ids: ids, ...row } = release(`many-${index}`, 'v1', { host_id: 'greedy' });
        return { ...row, task_ids: JSON.stringify(ids), ...times };
      });
      const followers = many(maxSubscribersOfHost).map((index) => ({
        name: 'm',
        target: `${index}`,
        host_id: 'greedy',
        path: '/x',
        version: 'v1',
        state: 'switched',
        error: '',
        ...times,
      }));
      for (let at = 0; at < names.length; at += 100) {
        await database.db
          .insertInto('release')
          .values(names.slice(at, at + 100))
          .execute();
        await database.db
          .insertInto('release_subscriber')
          .values(followers.slice(at, at + 100))
          .execute();
      }
      await assert.rejects(store().add(release('one-more', 'v1', { host_id: 'greedy' })), {
        code: 'RESOURCE_EXHAUSTED',
      });
      await store().add(release('many-0', 'v2', { host_id: 'greedy' }));
      await store().add(release('one-more', 'v1'));
      const report = { name: 'm', hostId: 'greedy', path: '/y', version: 'v1', state: 'switched', error: '' };
      await assert.rejects(store().report(report), { code: 'RESOURCE_EXHAUSTED' });
      await store().report({ ...report, hostId: 'modest' });
    });

    test('what has expired is not found, and goes', async () => {
      await store().add(release('old', 'v1', { expires_at: Date.now() - 60_000 }));
      assert.equal(await store().find('old', 'v1'), undefined);
      await store().prune();
      const left = await replicas[0]?.database.db
        .selectFrom('release')
        .select('id')
        .where('name', '=', 'old')
        .execute();
      assert.deepEqual(left, []);
    });

    test('a subscriber hears at the other replica, first what it missed, then what comes, and of those it did not wait for the last', async () => {
      const [publisher, subscriber] = replicas;
      assert.ok(publisher && subscriber);
      const missed = await publisher.store.add(release('w', 'v1'));
      const ended = new AbortController();
      const heard = subscriber.watch.watch('w', 0, ended.signal);
      assert.equal((await heard.next()).value?.version, 'v1');
      const next = heard.next();
      await publisher.store.add(release('elsewhere', 'v1'));
      await publisher.store.add(release('w', 'v2'));
      assert.equal((await next).value?.version, 'v2');
      await publisher.store.add(release('w', 'v3'));
      const last = await publisher.store.add(release('w', 'v4'));
      const late = subscriber.watch.watch('w', missed.id, ended.signal);
      assert.equal((await late.next()).value?.id, last.id);
      ended.abort();
      assert.equal((await late.next()).done, true);
      await heard.return();
    });

    test('content of a coming version is heard of at the other replica, each once, for half an hour', async () => {
      const [publisher, subscriber] = replicas;
      assert.ok(publisher && subscriber);
      await publisher.coming.announce(coming('early', 'a'));
      const ended = new AbortController();
      const heard = subscriber.coming.watch('early', ended.signal);
      assert.equal((await heard.next()).value?.task_id, 'a'.repeat(64));
      const next = heard.next();
      for (const each of [coming('early', 'a'), coming('elsewhere', 'b'), coming('early', 'c')])
        await publisher.coming.announce(each);
      assert.equal((await next).value?.task_id, 'c'.repeat(64));
      const { db } = publisher.database;
      await db
        .updateTable('coming_pack')
        .set({ created_at: (await publisher.database.nowMs()) - comingPackMs - 1 })
        .where('task_id', '=', 'a'.repeat(64))
        .execute();
      const late = publisher.coming.watch('early', ended.signal);
      assert.equal((await late.next()).value?.task_id, 'c'.repeat(64));
      await publisher.store.add(release('early', 'v1'));
      await publisher.coming.announce({ ...coming('early', 'd'), version: 'v2' });
      const behind = publisher.coming.watch('early', ended.signal);
      assert.equal((await behind.next()).value?.task_id, 'd'.repeat(64), 'the first version is published');
      assert.equal((await heard.next()).value?.task_id, 'd'.repeat(64));
      const last = heard.next();
      ended.abort();
      assert.equal((await last).done, true);
      await Promise.all([late.return(), behind.return()]);
    });
  });
}
