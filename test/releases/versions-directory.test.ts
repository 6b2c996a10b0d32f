/** What a subscriber may take for its own directory, where it deletes all that it does not know. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { VersionsDirectory } from '../../src/cli/subscribe/versions-directory.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const refused = { code: 'OUTPUT' };
const nobody = 65_534;

test('its own directory is opened again, also one that was left before there was a record', async () => {
  await using directory = await temporaryDirectory();
  const path = directory.join('models');
  (await VersionsDirectory.open(path, 'name'))[Symbol.dispose]();
  assert.equal(statSync(`${path}.versions`).mode & 0o022, 0);
  (await VersionsDirectory.open(path, 'name'))[Symbol.dispose]();
  mkdirSync(directory.join('other.versions'), { mode: 0o755 });
  writeFileSync(directory.join('other.versions/.lock'), '');
  (await VersionsDirectory.open(directory.join('other'), 'name'))[Symbol.dispose]();
});

test('nothing of anybody else is deleted, and nobody else leads it elsewhere', async () => {
  await using directory = await temporaryDirectory();
  const precious = directory.join('precious');
  mkdirSync(precious, { mode: 0o755 });
  writeFileSync(join(precious, 'file'), 'of somebody');
  symlinkSync(precious, directory.join('linked.versions'));
  mkdirSync(directory.join('filled.versions'), { mode: 0o755 });
  writeFileSync(directory.join('filled.versions/v1'), 'of somebody');
  mkdirSync(directory.join('open.versions'));
  chmodSync(directory.join('open.versions'), 0o777);
  const names = ['linked', 'filled', 'open'];
  if (process.geteuid?.() === 0) {
    mkdirSync(directory.join('theirs.versions'), { mode: 0o755 });
    chownSync(directory.join('theirs.versions'), nobody, nobody);
    names.push('theirs');
  }
  for (const name of names) await assert.rejects(VersionsDirectory.open(directory.join(name), 'name'), refused, name);
  assert.deepEqual(readdirSync(precious), ['file']);
  assert.ok(existsSync(directory.join('filled.versions/v1')));
});
