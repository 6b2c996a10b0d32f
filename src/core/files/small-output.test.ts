import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { temporaryDirectory, type TemporaryDirectory } from '../../../test/support/temporary-directory.ts';
import { writeSmallFile } from './small-output.ts';

describe('a small file', () => {
  let directory: TemporaryDirectory;
  before(async () => {
    directory = await temporaryDirectory();
  });
  after(() => directory[Symbol.asyncDispose]());

  const content = Buffer.from('content');
  const read = (name: string): string => readFileSync(directory.join(name), 'utf8');

  it('is written where nothing stands, and replaces a file that may be replaced', () => {
    for (const overwrite of [false, true]) {
      assert.ok(writeSmallFile(directory.join(`new-${overwrite}`), content, overwrite));
      assert.equal(read(`new-${overwrite}`), 'content');
      assert.equal(lstatSync(directory.join(`new-${overwrite}`)).nlink, 1);
    }
    assert.ok(writeSmallFile(directory.join('new-true'), Buffer.alloc(0), true));
    assert.equal(read('new-true'), '');
  });

  it('leaves alone what is to be treated with care', () => {
    writeFileSync(directory.join('standing'), 'standing');
    symlinkSync(directory.join('standing'), directory.join('link'));
    symlinkSync(directory.join('nothing'), directory.join('dangling'));
    assert.equal(writeSmallFile(directory.join('standing'), content, false), false);
    for (const name of ['link', 'dangling'])
      for (const overwrite of [false, true])
        assert.equal(writeSmallFile(directory.join(name), content, overwrite), false);
    mkdirSync(directory.join('directory'));
    for (const overwrite of [false, true])
      assert.equal(writeSmallFile(directory.join('directory'), content, overwrite), false);
    assert.equal(read('standing'), 'standing');
    assert.throws(() => writeSmallFile(directory.join('no', 'such'), content, false), { code: 'OUTPUT' });
    assert.deepEqual(
      readdirSync(directory.path).filter((name) => name.endsWith('.part')),
      [],
    );
  });
});
