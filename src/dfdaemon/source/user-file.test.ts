import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { thisProcess, unknownCaller, type LocalUser } from '../../rpc/server/caller.ts';
import { readAsCaller } from './user-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'user-file-'));
after(() => rmSync(directory, { recursive: true }));
chmodSync(directory, 0o755);

const somebody: LocalUser = { kind: 'local', uid: 54_321, gid: 54_321 };

function file(name: string, mode: number): string {
  const path = join(directory, name);
  writeFileSync(path, 'text');
  chmodSync(path, mode);
  return path;
}

test('a file is read for whom it may be read by', async () => {
  assert.equal(await readAsCaller(file('own', 0o600), thisProcess), 'text');
  assert.equal(await readAsCaller(file('open', 0o644), somebody), 'text');
  const group = file('group', 0o640);
  const gid = process.getegid?.();
  assert.equal(await readAsCaller(group, { ...somebody, groups: gid === undefined ? [] : [gid] }), 'text');
});

test('and for nobody else, by no way around', async () => {
  const refused = { code: 'PERMISSION_DENIED' };
  await assert.rejects(readAsCaller(file('secret', 0o600), somebody), refused);
  symlinkSync(join(directory, 'secret'), join(directory, 'link'));
  await assert.rejects(readAsCaller(join(directory, 'link'), somebody), refused);
  mkdirSync(join(directory, 'closed'), { mode: 0o700 });
  await assert.rejects(readAsCaller(file('closed/open', 0o644), somebody), refused);
  await assert.rejects(readAsCaller(file('open too', 0o644), unknownCaller), refused);
  await assert.rejects(readAsCaller('/dev/zero', somebody), refused);
  await assert.rejects(readAsCaller(join(directory, 'absent'), somebody), refused);
});
