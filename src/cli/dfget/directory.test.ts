import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compilePattern } from '../../core/pattern.ts';
import { filesBelow, type ListDirectory } from './directory.ts';
import type { RecursiveOptions } from './options.ts';

const root = 's3://bucket/models/';
const everything: RecursiveOptions = {
  includes: [],
  accept: undefined,
  reject: undefined,
  level: 0,
  listOnly: false,
  maxFiles: 100,
  maxConcurrentRequests: 1,
};
const { signal } = new AbortController();

/** Lists one level at a time, from a set of paths below the root. */
function tree(...paths: readonly string[]): ListDirectory {
  return async (url) => {
    const below = paths
      .filter((path) => `${root}${path}`.startsWith(url))
      .map((path) => `${root}${path}`.slice(url.length));
    const names = new Set(below.map((path) => (path.includes('/') ? `${path.split('/')[0]}/` : path)));
    const entryOf = (name: string) => ({ url: url + name, contentLengthBytes: 1, isDirectory: name.endsWith('/') });
    return { bundles: true, entries: [...names].map(entryOf) };
  };
}

async function paths(list: ListDirectory, options: Partial<RecursiveOptions> = {}): Promise<string[]> {
  const { files } = await filesBelow(root, list, { ...everything, ...options }, signal);
  return files.map((file) => file.path).sort();
}

const sample = tree('a.bin', 'b%20c.bin', 'sub/d.bin', 'sub/deep/e.txt');

describe('recursive download', () => {
  it('finds the files of all levels by their decoded paths', async () => {
    assert.deepEqual(await paths(sample), ['a.bin', 'b c.bin', 'sub/d.bin', 'sub/deep/e.txt']);
    assert.deepEqual(await paths(sample, { level: 1 }), ['a.bin', 'b c.bin']);
    assert.deepEqual(await paths(sample, { level: 2 }), ['a.bin', 'b c.bin', 'sub/d.bin']);
  });

  it('reads a listing that tells all levels at once', async () => {
    const entries = ['sub/', 'sub/d.bin', 'a.bin'].map((path) => ({
      url: root + path,
      contentLengthBytes: 1,
      isDirectory: path.endsWith('/'),
    }));
    const all: ListDirectory = async () => ({ entries, bundles: true });
    assert.deepEqual(await paths(all), ['a.bin', 'sub/d.bin']);
  });

  it('chooses files, directories and patterns', async () => {
    assert.deepEqual(await paths(sample, { includes: ['a.bin'] }), ['a.bin']);
    assert.deepEqual(await paths(sample, { includes: ['sub/'] }), ['sub/d.bin', 'sub/deep/e.txt']);
    assert.deepEqual(await paths(sample, { includes: ['*.bin'] }), ['a.bin', 'b c.bin']);
    assert.deepEqual(await paths(sample, { includes: ['**/*.txt'] }), ['sub/deep/e.txt']);
    assert.deepEqual(await paths(sample, { accept: compilePattern('bin$'), reject: compilePattern('sub') }), [
      'a.bin',
      'b c.bin',
    ]);
  });

  it('refuses more files than allowed', async () => {
    await assert.rejects(paths(sample, { maxFiles: 3 }), { code: 'RESOURCE_EXHAUSTED' });
  });

  it('refuses directories in directories without end', async () => {
    let asked = 0;
    const endless: ListDirectory = async (url) => {
      assert.ok((asked += 1) < 1000, 'it does not end');
      return { bundles: true, entries: [{ url: `${url}d/`, contentLengthBytes: 0, isDirectory: true }] };
    };
    await assert.rejects(paths(endless), { code: 'RESOURCE_EXHAUSTED' });
    assert.deepEqual(await paths(endless, { level: 2 }), []);
    assert.deepEqual(await paths(sample, { maxFiles: 6 }), await paths(sample), 'four files and two directories');
    await assert.rejects(paths(sample, { maxFiles: 5 }), { code: 'RESOURCE_EXHAUSTED' });
  });

  it('writes nothing outside the directory, whatever a listing says', async () => {
    for (const url of [
      's3://bucket/other/x',
      's3://evil/models/x',
      `${root}..%2F..%2Fetc`,
      `${root}a%2Fb`,
      `${root}%00`,
    ]) {
      const entries = [{ url, contentLengthBytes: 1, isDirectory: false }];
      const list: ListDirectory = async () => ({ entries, bundles: true });
      await assert.rejects(paths(list), { code: 'PERMISSION_DENIED' }, url);
    }
  });
});
