import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { makeBundle } from '../core/bundle/bundle.ts';
import { textForBundle } from '../core/task-name.ts';
import { Download } from '../../gen/common/v2/common.ts';
import { namedBundle } from './task-names.ts';

const url = 'http://origin/tree/';

test('the list of a bundle is the one that its task is named by, and kept once', () => {
  const list = (path: string) => makeBundle([{ path, lengthBytes: 1, validator: '"1"' }]);
  const { packed, listDigest } = list('a');
  const text = textForBundle(url, [], { listDigest, rest: 'x' });
  const of = (bundle: Uint8Array | undefined, named: string | undefined = text): Download =>
    Download.fromPartial({ url, bundle, contentForCalculatingTaskId: named });
  assert.equal(namedBundle('t', of(undefined), undefined), undefined);
  const known = of(namedBundle('t', of(packed), undefined));
  const copies = [
    Buffer.from(packed),
    deflateRawSync(inflateRawSync(packed), { strategy: constants.Z_HUFFMAN_ONLY, level: 0 }),
  ];
  assert.ok(!copies[1]?.equals(packed), 'the same list, packed in another way');
  for (const copy of copies) assert.equal(namedBundle('t', of(copy), known), known.bundle);
  const refused = { code: 'PERMISSION_DENIED' };
  for (const before of [undefined, known]) {
    assert.throws(() => namedBundle('t', of(list('b').packed), before), refused);
    assert.throws(() => namedBundle('t', of(list('b').packed, 'mine'), before), refused);
    assert.throws(() => namedBundle('t', of(Buffer.from('no list')), before), { code: 'INVALID_ARGUMENT' });
  }
});
