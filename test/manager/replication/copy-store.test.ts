/** What is known of tags and copies, on each engine: a tag named twice is one, and no cluster stands before another. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Database } from '../../../src/manager/db/database.ts';
import { maxReplicatedTags, replicationCopiesPerCluster } from '../../../src/manager/limits.ts';
import { CopyStore, type CopyRow } from '../../../src/manager/replication/copy-store.ts';
import { engineKinds } from '../support/engines.ts';

const ruleId = 1;
const rule = {
  name: 'r',
  bio: '',
  source: 'a.invalid/a',
  tags: '["*"]',
  cluster_ids: '[1]',
  to_clusters: 1 as const,
  target: '',
  platform: '',
  scope: 'single_seed_peer',
  enabled: 1 as const,
  user_id: 1,
  error: '',
  secret_hash: '',
  sealed_login: '',
  sealed_target_login: '',
  on_push: 0 as const,
  interval_ms: 0,
  rate_bytes_per_sec: 0,
  concurrency: 1,
  asked_at: 0,
  listed_at: 0,
  attempt: 0,
  retry_at: 0,
};
const later = Number.MAX_SAFE_INTEGER;
const named = (count: number) => Array.from({ length: count }, (_, index) => ({ repository: 'a', tag: `v${index}` }));

for (const kind of engineKinds)
  describe(`copies of rules on ${kind.name}`, { skip: kind.missing }, () => {
    test('a tag that is named twice, or by two at once, is one', async () => {
      await using engine = await kind.start();
      await using database = await Database.open(await engine.newDatabase());
      const copies = new CopyStore(database);
      const [tag] = named(1) as [{ repository: string; tag: string }];
      await Promise.all([1, 2, 3].map(() => copies.look(ruleId, [tag, tag], { all: false })));
      assert.equal((await copies.tagsToLookAt(ruleId, later)).length, 1);
      await copies.look(ruleId, [tag, ...named(2), ...named(2)], { all: true });
      assert.equal((await copies.tagsToLookAt(ruleId, later)).length, 2);
    });

    test('pushes add no more tags than a rule may cover, and those that are known go on', async () => {
      await using engine = await kind.start();
      await using database = await Database.open(await engine.newDatabase());
      const copies = new CopyStore(database);
      await copies.look(ruleId, named(maxReplicatedTags - 1), { all: true });
      assert.equal(await copies.look(ruleId, named(maxReplicatedTags + 2).slice(-5), { all: false }), 2);
      assert.equal((await copies.tagCounts([ruleId])).get(ruleId), maxReplicatedTags);
    });

    test('each cluster has its own turn, however many wait and have failed in another', async () => {
      await using engine = await kind.start();
      await using database = await Database.open(await engine.newDatabase());
      const copies = new CopyStore(database);
      await copies.look(ruleId, named(replicationCopiesPerCluster + 2), { all: true });
      const tags = await copies.tagsToLookAt(ruleId, later);
      const digest = `sha256:${'a'.repeat(64)}`;
      for (const tag of tags) await copies.known(tag, digest, tag.tag === 'v0' ? [1, 2] : [1]);
      const of = (rows: readonly { cluster_id: number }[], id: number): number =>
        rows.filter((row) => row.cluster_id === id).length;
      const due = await copies.due(ruleId, 0);
      assert.deepEqual([of(due, 1), of(due, 2)], [replicationCopiesPerCluster, 1]);
      for (const { id, cluster_id: cluster } of due)
        await database.db
          .updateTable('replication_copy')
          .set({ attempt: 1, retry_at: 100, ended_at: cluster === 1 ? 50 : 1 })
          .where('id', '=', id)
          .execute();
      assert.deepEqual([of(await copies.due(ruleId, 99), 1), of(await copies.due(ruleId, 99), 2)], [2, 0]);
      const ended = await copies.lastEnded(ruleId, [1, 2]);
      assert.deepEqual([of(ended, 1), of(ended, 2)], [replicationCopiesPerCluster, 1]);
    });

    test('a tag that is not what its source said is looked at again, once its rest is over', async () => {
      await using engine = await kind.start();
      await using database = await Database.open(await engine.newDatabase());
      const copies = new CopyStore(database);
      await copies.look(ruleId, named(1), { all: true });
      const [tag] = await copies.tagsToLookAt(ruleId, later);
      assert.ok(tag);
      await copies.known(tag, `sha256:${'a'.repeat(64)}`, [1]);
      await copies.lookAgain(tag.id, 100);
      assert.equal((await copies.tagsToLookAt(ruleId, 99)).length, 0);
      assert.equal((await copies.tagsToLookAt(ruleId, 100)).length, 1);
    });

    test('a copy begins for the rule as it is, and as the copy was read', async () => {
      await using engine = await kind.start();
      await using database = await Database.open(await engine.newDatabase());
      const copies = new CopyStore(database);
      const id = await database.insert('replication_rule', { ...rule, created_at: 1, updated_at: 1 });
      await copies.look(id, named(1), { all: true });
      const [tag] = await copies.tagsToLookAt(id, later);
      assert.ok(tag);
      await copies.known(tag, `sha256:${'a'.repeat(64)}`, [1]);
      const read = async () => (await copies.due(id, later))[0] as CopyRow;
      const copy = await read();
      for (const change of [
        { platform: 'linux/arm64' },
        { enabled: 0 as const },
        { cluster_ids: '[2]' },
        { tags: '["x"]' },
      ])
        assert.equal(await copies.begin(copy, { ...rule, ...change }), undefined, JSON.stringify(change));
      // What a change of the rule writes.
      await database.db
        .updateTable('replication_copy')
        .set({ updated_at: Number(copy.updated_at) + 1 })
        .where('id', '=', copy.id)
        .execute();
      assert.equal(await copies.begin(copy, rule), undefined);
      assert.ok(await copies.begin(await read(), rule));
    });
  });
