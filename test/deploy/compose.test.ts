/** run.sh writes files that the services take without a warning, for each way to run them, and keeps those that are there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFile, cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import type { ZodType } from 'zod';
import { parseConfig } from '../../src/core/config/config.ts';
import { version } from '../../src/core/version.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { managerConfigSchema } from '../../src/manager/config.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { root } from '../house/repository.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const compose = join(root, 'deploy/compose');
const schemas: Readonly<Record<string, ZodType>> = {
  'manager.yaml': managerConfigSchema,
  'scheduler.yaml': schedulerConfigSchema,
  'seed-peer.yaml': dfdaemonConfigSchema,
  'client.yaml': dfdaemonConfigSchema,
};

async function written(variables: Readonly<Record<string, string>>, names: readonly string[]) {
  await using directory = await temporaryDirectory();
  await cp(compose, directory.path, { recursive: true });
  const write = () =>
    spawnSync('sh', [directory.join('run.sh')], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], CONFIG_ONLY: '1', ...variables },
    });
  assert.equal(write().status, 0);
  const configs: Record<string, unknown> = {};
  for (const name of names) {
    const text = await readFile(directory.join('config', name), 'utf8');
    assert.doesNotMatch(text, /__/);
    const { config, warnings } = parseConfig(schemas[name] as ZodType, text, name);
    assert.deepEqual(warnings, [], name);
    configs[name] = config;
  }
  await appendFile(directory.join('config', 'scheduler.yaml'), '# ours\n');
  write();
  assert.match(await readFile(directory.join('config', 'scheduler.yaml'), 'utf8'), /# ours\n$/);
  return configs;
}

test('on one host, on two with a database, without a manager', async () => {
  await written({ IP: '10.0.0.1' }, Object.keys(schemas));
  const password = `it's a \\1 & | "secret": #1`;
  const two = await written(
    { IP: '10.0.0.1', MANAGER_IP: '10.0.0.9', DATABASE_HOST: '10.0.0.5', DATABASE_PASSWORD: password },
    Object.keys(schemas),
  );
  const { database } = two['manager.yaml'] as { database: { mysql?: { host: string; password: string } } };
  assert.equal(database.mysql?.host, '10.0.0.5');
  assert.equal(database.mysql.password, password);
  await written({ IP: '10.0.0.1', STANDALONE: '1' }, ['scheduler.yaml', 'seed-peer.yaml']);
});

test('asks for the address of the host', () => {
  const { status, stderr } = spawnSync('sh', [join(compose, 'run.sh')], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'] },
  });
  assert.equal(status, 2);
  assert.match(stderr, /set IP to the address/);
});

test('every image has a fixed version, ours that of the product', async () => {
  for (const name of [
    'compose/docker-compose.yaml',
    'compose/docker-compose.standalone.yaml',
    'manifests/daemonset.yaml',
    'manifests/deployment.yaml',
  ]) {
    const images = [...(await readFile(join(root, 'deploy', name), 'utf8')).matchAll(/image: (\S+)/g)].map(
      ([, image]) => image ?? '',
    );
    assert.ok(images.length > 0, name);
    for (const image of images) {
      assert.match(
        image,
        image.includes('dragonflyoss') ? new RegExp(`v${version.replaceAll('.', '\\.')}\\}?$`) : /:\d+\.\d+\.\d+/,
        name,
      );
    }
  }
  const { services } = parse(await readFile(join(compose, 'docker-compose.yaml'), 'utf8'), { merge: true }) as {
    services: Record<string, { read_only?: boolean; healthcheck?: unknown }>;
  };
  for (const name of ['manager', 'scheduler', 'seed-peer', 'client']) {
    assert.equal(services[name]?.read_only, true, name);
    assert.ok(services[name].healthcheck, name);
  }
});
