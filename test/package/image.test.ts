/** The archives of layers, read by GNU tar. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { tar, type TarEntry } from '../../scripts/package/image/tar.ts';
import { makeRandomFile, sha256OfFile } from '../support/random-file.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

test('tar: owners, modes, links, long paths and contents, in the order of the paths', async () => {
  await using directory = await temporaryDirectory();
  const file = await makeRandomFile(directory.join('content'), 70_001);
  const deep = `${'d'.repeat(60)}/${'e'.repeat(60)}`;
  const entries: TarEntry[] = [
    { kind: 'text', path: 'b.txt', text: 'grüße\n', mode: 0o640, uid: 65_532, gid: 7 },
    { kind: 'link', path: 'c', target: '/usr/bin/b', mode: 0o777 },
    { kind: 'directory', path: 'a', mode: 0o1777 },
    { kind: 'file', path: `${deep}/f`, from: file.path, mode: 0o755 },
  ];
  await writeFile(directory.join('x.tar'), tar(entries, 1_700_000_000));
  const listed = execFileSync('tar', ['--utc', '--numeric-owner', '-tvf', directory.join('x.tar')], {
    encoding: 'utf8',
  });
  assert.deepEqual(
    listed
      .trim()
      .split('\n')
      .map((line) => line.replaceAll(/ +/g, ' ')),
    [
      'drwxrwxrwt 0/0 0 2023-11-14 22:13 a/',
      '-rw-r----- 65532/7 8 2023-11-14 22:13 b.txt',
      'lrwxrwxrwx 0/0 0 2023-11-14 22:13 c -> /usr/bin/b',
      `-rwxr-xr-x 0/0 70001 2023-11-14 22:13 ${deep}/f`,
    ],
  );
  execFileSync('tar', ['-xf', directory.join('x.tar'), '--no-same-owner', '-C', directory.path]);
  assert.equal(await sha256OfFile(directory.join(deep, 'f')), file.sha256);
  const impossible: TarEntry = { kind: 'directory', path: 'x'.repeat(120), mode: 0o755 };
  await assert.rejects(async () => {
    for await (const _block of tar([impossible], 0));
  }, /too long/);
});
