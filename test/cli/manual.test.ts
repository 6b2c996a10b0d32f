/** Manual pages of all programs, as the formatter of every system reads them. */
// needs: groff
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { productCommand } from '../support/product.ts';

const run = promisify(execFile);
const [program, ...words] = productCommand('dragonfly');

/** The page as a terminal shows it, without signs of bold and underlined; fails when the formatter has anything to say. */
async function formatted(path: string): Promise<string> {
  const { stdout, stderr } = await run('groff', ['-man', '-ww', '-Tascii', '-P-cbou', '-rLL=78n', path]);
  assert.equal(stderr, '', path);
  return stdout;
}

test('every program has a page that the formatter takes without a word', async () => {
  await using directory = await temporaryDirectory('df-manual-');
  await run(program, [...words, 'man', '--directory', directory.join('pages')], {
    env: { ...process.env, SOURCE_DATE_EPOCH: '1700000000' },
  });
  const { stdout: help } = await run(program, [...words, '--help']);
  const programs = [...help.matchAll(/^ {2}([a-z-]+) {2}/gm)].map(([, name]) => name ?? '');
  assert.ok(programs.includes('dfget'));
  const pages = ['dragonfly.1', ...programs.map((name) => `dragonfly-${name}.1`)];
  assert.deepEqual((await readdir(directory.join('pages'))).sort(), pages.sort());
  const texts = new Map<string, string>();
  for (const page of pages) texts.set(page, await formatted(directory.join('pages', page)));
  const dfget = texts.get('dragonfly-dfget.1') ?? '';
  assert.match(dfget, /^DRAGONFLY-DFGET\(1\)/);
  assert.match(dfget, /--digest <algorithm:value>\s+md5, sha1, sha256, sha512 or crc32 the content must have/);
  assert.match(dfget, /2023-11-14/);
  assert.match(texts.get('dragonfly-dfctl.1') ?? '', /DFCTL TASK EXPORT\s+dfctl task export \[options\] <id>/);
  assert.match(texts.get('dragonfly.1') ?? '', /dragonfly-dfget\(1\)\s+downloads a file or a directory/);
});

test('one page is printed, and a name that is none is told', async () => {
  const { stdout } = await run(program, [...words, 'man', 'dfcache']);
  assert.match(stdout, /^\.TH "DRAGONFLY\\-DFCACHE" 1 /);
  await assert.rejects(run(program, [...words, 'man', 'dfgot']), (error: { code: number; stderr: string }) => {
    assert.equal(error.code, 2);
    assert.match(error.stderr, /there is no program "dfgot"/);
    return true;
  });
});
