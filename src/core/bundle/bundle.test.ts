import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { isBundleDirectory, isBundlePath, makeBundle, readBundle, type ListedFile } from './bundle.ts';
import { hasListedDigest } from './listed-digest.ts';
import { maxBundledFileBytes, maxBundleBytes, maxBundleFiles, minBundleFiles } from './limits.ts';
import { planBundles } from './plan.ts';

const many = (count: number, lengthBytes = 10): ListedFile[] =>
  Array.from({ length: count }, (_, number) => ({
    path: `d/f${String(number).padStart(6, '0')}`,
    lengthBytes,
    validator: '"1"',
  }));

function refused(list: unknown): void {
  const text = typeof list === 'string' ? list : JSON.stringify(list);
  assert.throws(() => readBundle(deflateRawSync(text)), { code: 'INVALID_ARGUMENT' }, text.slice(0, 80));
}

describe('a bundle', () => {
  const files: ListedFile[] = [
    { path: 'a%20b', lengthBytes: 3, validator: '"x"', digest: `sha256:${'0'.repeat(64)}` },
    { path: 'empty', lengthBytes: 0, validator: 'Tue, 01 Dec 2026 10:33:40 GMT' },
    { path: 'sub/%E2%82%AC', lengthBytes: 5, digest: `git-sha1:${'1'.repeat(40)}` },
    { path: 'z', lengthBytes: 1, validator: 'W/"1"' },
  ];

  it('says the same after it has travelled', () => {
    const made = makeBundle(files);
    const read = readBundle(made.packed);
    assert.deepEqual(read, made);
    assert.deepEqual(
      read.files.map(({ offsetBytes }) => offsetBytes),
      [0, 3, 3, 8],
    );
    assert.equal(read.lengthBytes, 9);
    for (const [index, file] of files.entries())
      assert.deepEqual(read.files[index], { ...file, offsetBytes: read.files[index]?.offsetBytes });
  });

  it('has another name for anything else in its list', () => {
    const names = new Set([makeBundle(files).listDigest]);
    const others: ListedFile[][] = [files.toReversed(), files.slice(1)];
    for (const change of [{ path: 'other' }, { lengthBytes: 4 }, { validator: '"y"' }, { digest: undefined }])
      others.push(files.map((file, index) => (index === 0 ? { ...file, ...change } : file)));
    for (const other of others) names.add(makeBundle(other).listDigest);
    assert.equal(names.size, 1 + others.length);
  });

  it('takes no list that leads elsewhere, or that is too much', () => {
    for (const path of [
      '',
      '/',
      '../x',
      'a/../b',
      './a',
      'a//b',
      '/etc/passwd',
      '%2e%2e/x',
      'a%2Fb',
      'a%00',
      'a%5Cb',
      'a?b',
      'a#b',
      'a b',
      'é',
      '%zz',
      '@h/../x',
    ])
      refused([[path, 1, '"x"']]);
    for (const length of [-1, 1.5, '1', null, maxBundledFileBytes + 1]) refused([['a', length, '"x"']]);
    for (const list of [
      '',
      '{',
      '{}',
      '[]',
      '[1]',
      '[null]',
      [['a', 1]],
      [['a', 1, '', '']],
      [['a', 1, 7]],
      [['a', 1, 'x\r\ny']],
      [['a', 1, '', 'md5:1']],
      [
        ['a', 1, '"x"'],
        ['a', 2, '"x"'],
      ],
    ])
      refused(list);
    refused(many(maxBundleFiles + 1).map(({ path, lengthBytes }) => [path, lengthBytes, '"x"']));
    assert.throws(() => readBundle(Buffer.from('no deflate')), { code: 'INVALID_ARGUMENT' });
    assert.throws(() => readBundle(deflateRawSync(Buffer.alloc(64 * 2 ** 20))), { code: 'INVALID_ARGUMENT' });
  });

  it('lies below a URL that has nothing behind its path', () => {
    for (const url of ['http://host/dir/', 'hf://Owner/Model/', 's3://bucket/', 'http://host/é/'])
      assert.ok(isBundleDirectory(url), url);
    const others = ['dir', 'dir/?', 'dir/#', 'dir/ ', 'dir/\n', 'd\tir/', 'dir/?a=/', 'dir/#/', 'dir\0/', '?/'];
    for (const path of others) assert.ok(!isBundleDirectory(`http://host/${path}`), JSON.stringify(path));
    assert.ok(!isBundleDirectory(' http://host/dir/'));
  });

  it('appends nothing to a URL that makes it another host or directory', () => {
    for (const path of ['@h', ':80/x', '%2F', 'a/b', '~x', "a'b", '(1)', 'x;y', 'x:y']) {
      if (!isBundlePath(path)) continue;
      const url = new URL(`http://host/dir/${path}`);
      assert.ok(url.host === 'host' && url.pathname.startsWith('/dir/') && url.search === '' && url.hash === '', path);
    }
  });
});

describe('the plan of bundles', () => {
  it('is the same whatever order the listing has', () => {
    const files = many(5000);
    const shuffled = files.toSorted((a, b) => (hashOf(a.path) < hashOf(b.path) ? -1 : 1));
    const digests = (of: readonly ListedFile[]) => planBundles(of).bundles.map(({ bundle }) => bundle.listDigest);
    assert.notDeepEqual(shuffled, files);
    assert.deepEqual(digests(shuffled), digests(files));
  });

  it('has every file once, within its bounds', () => {
    const counts = (files: readonly ListedFile[]): number[] =>
      planBundles(files).bundles.map(({ files: of }) => of.length);
    assert.deepEqual(counts(many(maxBundleFiles)), [maxBundleFiles]);
    assert.deepEqual(counts(many(maxBundleFiles + minBundleFiles)), [maxBundleFiles, minBundleFiles]);
    const one = planBundles(many(maxBundleFiles + 1));
    assert.deepEqual([one.bundles.length, one.others.length], [1, 1], 'what is left over is a file of its own');
    const large = many(100, maxBundledFileBytes);
    assert.deepEqual(counts(large), [maxBundleBytes / maxBundledFileBytes, 100 - maxBundleBytes / maxBundledFileBytes]);
    const long = many(3000).map((file) => ({ ...file, path: `${file.path}-${'x'.repeat(2000)}` }));
    const plan = planBundles(long);
    assert.ok(plan.bundles.length > 3);
    for (const { bundle } of plan.bundles) assert.deepEqual(readBundle(bundle.packed), bundle);
    assert.equal(
      plan.bundles.reduce((sum, { files }) => sum + files.length, plan.others.length),
      3000,
    );
  });

  it('leaves alone what is large, alone, unknown or oddly named', () => {
    const odd: ListedFile[] = [
      { path: 'large', lengthBytes: maxBundledFileBytes + 1, validator: '"x"' },
      { path: 'unknown', lengthBytes: Number.NaN, validator: '"x"' },
      { path: 'length-alone', lengthBytes: 1 },
      { path: 'odd-validator', lengthBytes: 1, validator: '"é"' },
      { path: 'long-validator', lengthBytes: 1, validator: `"${'x'.repeat(256)}"` },
      { path: 'odd-digest', lengthBytes: 1, validator: '"x"', digest: 'md5:1' },
      { path: 'a b', lengthBytes: 1, validator: '"x"' },
      { path: '', lengthBytes: 1, validator: '"x"' },
    ];
    assert.deepEqual(planBundles(odd).others, odd);
    assert.equal(planBundles(many(minBundleFiles - 1)).bundles.length, 0);
    const { bundles, others } = planBundles([...odd, ...many(minBundleFiles)]);
    assert.deepEqual([bundles.length, others], [1, odd]);
  });
});

it('what listings call content is computed as they do', () => {
  const content = Buffer.from('hello\n');
  // git hash-object, sha256sum
  assert.ok(hasListedDigest(content, 'git-sha1:ce013625030ba8dba906f756967f9e9ca394464a'));
  assert.ok(hasListedDigest(content, 'sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03'));
  assert.ok(!hasListedDigest(Buffer.from('hellO\n'), 'git-sha1:ce013625030ba8dba906f756967f9e9ca394464a'));
  assert.ok(!hasListedDigest(content, 'md5:b1946ac92492d2347c6235b4d2611184'));
});

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
