/** The store in a directory in which a daemon of the original has stored content. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { TaskStore } from '../../src/dfdaemon/storage/task-store.ts';
import { contentBytes, scratchDirectory, taskIdOf } from './fixtures.ts';

function contentPath(directory: string, id: string): string {
  return join(directory, 'content', 'tasks', id.slice(0, 3), id);
}

/** As the original lays it out: RocksDB beside the content. */
function leave(directory: string, contents: Readonly<Record<string, Buffer>>): void {
  mkdirSync(join(directory, 'metadata'), { recursive: true });
  writeFileSync(join(directory, 'metadata', 'CURRENT'), 'MANIFEST-000005\n');
  for (const [id, content] of Object.entries(contents)) {
    mkdirSync(join(directory, 'content', 'tasks', id.slice(0, 3)), { recursive: true });
    writeFileSync(contentPath(directory, id), content);
  }
}

function digestOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

describe('content of a daemon of the original', () => {
  test('is taken over when its id is its digest, and nothing else of it', async (t) => {
    const directory = scratchDirectory(t);
    const layer = contentBytes(9 * 2 ** 20 + 5, 1);
    const [id, byUrl, torn] = [digestOf(layer), taskIdOf('http://origin/a'), digestOf(contentBytes(2 ** 20, 3))];
    // Space is reserved for content that is not all there.
    leave(directory, { [id]: layer, [byUrl]: contentBytes(2 ** 20, 2), [torn]: Buffer.alloc(2 ** 20) });
    {
      await using store = await TaskStore.open({ directory });
      await store.recovered();
      assert.deepEqual(
        store.list().map((task) => task.id),
        [id],
      );
      const task = store.get(id);
      assert(task);
      assert.equal(task.state, 'finished');
      assert.equal(task.restricted, true, 'nobody knows who was given it');
      assert.equal(task.identity.digest, `sha256:${id}`);
      assert.deepEqual([...task.pieces], [0, 1, 2]);
      assert.equal(store.usedBytes, layer.length);
      await store.verify(task);
      assert.equal(task.complete, true);
    }
    await using store = await TaskStore.open({ directory });
    await store.recovered();
    assert.equal(store.get(id)?.state, 'finished');
    assert.deepEqual(readFileSync(contentPath(directory, id)), layer);
    assert.deepEqual(
      readdirSync(directory).filter((name) => /metadata|foreign/.test(name) && !name.includes('sqlite')),
      ['metadata.original'],
    );
  });

  test('its database is gone before the store has content of its own at the same paths', async (t) => {
    const directory = scratchDirectory(t);
    const id = taskIdOf('http://origin/b');
    leave(directory, { [id]: contentBytes(1000, 1) });
    await using store = await TaskStore.open({ directory });
    assert.equal(existsSync(join(directory, 'metadata')), false);
    assert.equal(existsSync(contentPath(directory, id)), false);
    assert.equal(store.get(id), undefined);
  });

  test('a file that a user has a link to becomes one of its own', async (t) => {
    const directory = scratchDirectory(t);
    const layer = contentBytes(3000, 1);
    const id = digestOf(layer);
    leave(directory, { [id]: layer });
    const output = join(directory, 'output');
    linkSync(contentPath(directory, id), output);
    await using store = await TaskStore.open({ directory });
    await store.recovered();
    writeFileSync(output, 'the user writes');
    assert.deepEqual(readFileSync(contentPath(directory, id)), layer);
  });

  test('that came back meanwhile and left more is taken over as well; content of the store stays', async (t) => {
    const directory = scratchDirectory(t);
    const layers = [contentBytes(3000, 1), contentBytes(4000, 2)] as const;
    for (const layer of layers) {
      leave(directory, { [digestOf(layer)]: layer });
      await using store = await TaskStore.open({ directory });
      await store.recovered();
    }
    await using store = await TaskStore.open({ directory });
    await store.recovered();
    assert.deepEqual(
      store
        .list()
        .map(({ id }) => id)
        .toSorted(),
      layers.map(digestOf).toSorted(),
    );
  });
});
