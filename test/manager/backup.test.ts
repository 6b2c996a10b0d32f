/** The commands that back up and restore an embedded database. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, test } from 'node:test';
import type { CommandIo } from '../../src/core/process/command.ts';
import { runManager } from '../../src/manager/run.ts';
import { databaseConfig } from './support/engines.ts';
import { rootPassword, startManager } from './support/manager-fixture.ts';
import { RestClient } from './support/rest-client.ts';

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'manager-backup-'));
});
after(() => rm(directory, { recursive: true, force: true }));

const io: CommandIo = {
  stdin: new PassThrough(),
  stdout: new PassThrough(),
  stderr: new PassThrough(),
  env: {},
  signal: AbortSignal.timeout(60_000),
};

test('what was backed up while the manager ran is there after a restore, secrets included', async () => {
  const path = join(directory, 'data', 'manager.db');
  const config = join(directory, 'manager.yaml');
  const copy = join(directory, 'copies', 'monday');
  await writeFile(config, `database: {type: sqlite, sqlite: {path: ${path}}}\n`);
  const database = databaseConfig({ sqlite: { path } });
  const command = (...argv: string[]): Promise<number> => runManager(['--config', config, ...argv], io);
  const options = { operator: { rootPassword } };
  {
    await using manager = await startManager(database, {}, options);
    const root = await new RestClient(manager.restPort).signIn('root', rootPassword);
    await root.ok('POST', '/api/v1/configs', { name: 'before', value: 'v', user_id: 1 });
    assert.equal(await command('backup', copy), 0);
    await root.ok('POST', '/api/v1/configs', { name: 'after', value: 'v', user_id: 1 });
    await assert.rejects(command('backup', copy), { code: 'ALREADY_EXISTS' });
    await assert.rejects(command('restore', copy), { code: 'IN_USE' });
  }
  await rm(join(directory, 'data'), { recursive: true });
  await command('restore', copy);
  await using manager = await startManager(database, {}, options);
  const root = await new RestClient(manager.restPort).signIn('root', rootPassword);
  assert.deepEqual(
    (await root.ok<{ name: string }[]>('GET', '/api/v1/configs')).map(({ name }) => name),
    ['gc', 'before'],
  );
});

test('a damaged or missing back-up is not restored', async () => {
  const config = join(directory, 'other.yaml');
  await writeFile(config, `database: {type: sqlite, sqlite: {path: ${join(directory, 'other.db')}}}\n`);
  await assert.rejects(runManager(['--config', config, 'restore', join(directory, 'nowhere')], io), {
    code: 'NOT_FOUND',
  });
});
