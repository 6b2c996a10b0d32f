import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockList, blockRulesOf } from './block-list.ts';

test('objects of stores are refused by their URL, and by what is done with them', () => {
  const list = new BlockList();
  const config = { block_list: { persistent_task: { upload: { urls: ['^s3://secret/'] } } } };
  list.update(blockRulesOf(Buffer.from(JSON.stringify(config))));
  assert.throws(() => list.checkPersistent('upload', { url: 's3://secret/key' }), { code: 'PERMISSION_DENIED' });
  list.checkPersistent('upload', { url: 's3://open/key' });
  list.checkPersistent('download', { url: 's3://secret/key' });
  list.checkKept('upload', { tag: 's3://secret/key' });
});

test('a bundle is refused for any of its files', () => {
  const list = new BlockList();
  const config = { block_list: { task: { download: { urls: ['/secret'] } } } };
  list.update(blockRulesOf(Buffer.from(JSON.stringify(config))));
  const url = 'http://origin/tree/';
  list.check({ url, bundle: { files: [{ path: 'a' }, { path: 'b' }] } });
  assert.throws(() => list.check({ url, bundle: { files: [{ path: 'a' }, { path: 'secret' }] } }), {
    code: 'PERMISSION_DENIED',
  });
});
