import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlobSizes } from './blob-sizes.ts';

const digest = (letter: string): string => `sha256:${letter.repeat(64)}`;

test('manifests tell how long small blobs are', () => {
  const sizes = new BlobSizes();
  const layers = [
    { digest: digest('b'), size: 2 ** 30 },
    { digest: digest('c'), size: '7' },
    { digest: '../c', size: 7 },
    { digest: digest('d'), size: 7 },
  ];
  sizes.note(Buffer.from(JSON.stringify({ config: { digest: digest('a'), size: 512 }, layers })));
  sizes.note(Buffer.from('no manifest'));
  sizes.note(Buffer.from('null'));
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((letter) => sizes.of(digest(letter))),
    [512, undefined, undefined, 7],
  );
});
