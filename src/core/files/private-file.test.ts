import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { readPrivateKey, requireSocketDirectory } from './private-file.ts';

const root = process.geteuid?.() === 0;

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'df-private-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function key(t: TestContext, mode: number): string {
  const path = join(directory(t), 'key.pem');
  writeFileSync(path, 'key');
  chmodSync(path, mode);
  return path;
}

function refusal(text: RegExp) {
  return (error: Error & { code?: string; hint?: string }): boolean =>
    error.code === 'PERMISSION_DENIED' && text.test(error.message) && (error.hint ?? '') !== '';
}

describe('DF2-5 private keys', () => {
  it('are read when nobody else could have written them; through a link, too', async (t) => {
    const path = key(t, 0o600);
    assert.equal((await readPrivateKey(path)).toString(), 'key');
    const link = join(directory(t), 'link');
    symlinkSync(path, link);
    assert.equal((await readPrivateKey(link)).toString(), 'key');
  });

  it('that everybody may read are closed to them', async (t) => {
    const path = key(t, 0o644);
    assert.equal((await readPrivateKey(path)).toString(), 'key');
    assert.equal(statSync(path).mode & 0o777, 0o640);
  });

  it('that others may write are refused', async (t) => {
    for (const mode of [0o602, 0o620, 0o666]) await assert.rejects(readPrivateKey(key(t, mode)), refusal(/written/));
  });

  it('of another user are refused', { skip: !root && 'only root can give files away' }, async (t) => {
    const path = key(t, 0o600);
    chownSync(path, 12_345, 12_345);
    await assert.rejects(readPrivateKey(path), refusal(/belongs to user 12345/));
  });
});

describe('DF2-5 the directory of a socket', () => {
  it('is made, or taken as it stands', (t) => {
    const path = join(directory(t), 'run', 'dragonfly');
    requireSocketDirectory(path);
    requireSocketDirectory(path);
    assert.equal(statSync(path).mode & 0o022, 0);
  });

  it('may be one in which everybody can create files but nobody replace ours', (t) => {
    const path = join(directory(t), 'sticky');
    mkdirSync(path);
    chmodSync(path, 0o1777);
    requireSocketDirectory(path);
  });

  it('is refused when it is a link, or every user may write it', (t) => {
    const open = join(directory(t), 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    assert.throws(() => requireSocketDirectory(open), refusal(/every user/));
    const link = join(directory(t), 'link');
    symlinkSync(directory(t), link);
    assert.throws(() => requireSocketDirectory(link), refusal(/link/));
  });

  it('is refused when it is of another user', { skip: !root && 'only root can give files away' }, (t) => {
    const path = join(directory(t), 'theirs');
    mkdirSync(path);
    chownSync(path, 12_345, 12_345);
    assert.throws(() => requireSocketDirectory(path), refusal(/belongs to user 12345/));
  });
});
