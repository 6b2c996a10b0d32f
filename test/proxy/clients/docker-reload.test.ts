import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { planDocker } from '../../../src/cli/setup/docker.ts';
import { SetupJournal } from '../../../src/cli/setup/journal.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

test('docker: where systemd runs it, it reads the mirror and its going by itself', async () => {
  await using directory = await temporaryDirectory('df-setup-');
  const read = directory.join('read');
  const command = (word: string): string[] => ['sh', '-c', `echo ${word} >>${read}`];
  const plan = await planDocker({
    proxyUrl: 'http://127.0.0.1:65001',
    method: 'mirror',
    registries: [],
    configPath: directory.join('daemon.json'),
    certsDirectory: directory.join('certs.d'),
    authorityPem: undefined,
    majorVersion: undefined,
    systemTrust: undefined,
    dropInPath: directory.join('drop-in'),
    reload: { written: command('mirror'), putBack: command('none') },
  });
  assert.deepEqual(plan.afterwards, []);
  const journal = new SetupJournal(directory.join('state'), 'docker');
  await journal.apply(plan);
  assert.equal(await readFile(read, 'utf8'), 'mirror\n');
  await journal.undo();
  assert.equal(await readFile(read, 'utf8'), 'mirror\nnone\n');
});
