import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { Writable } from 'node:stream';
import { parseDfgetOptions, type DfgetOptions } from './options.ts';
import { withOwnCredentials } from './own-credentials.ts';

/** Keeps the lookup away from the credentials of the machine that runs the tests. */
const nowhere = { AWS_EC2_METADATA_DISABLED: 'true', HOME: '/nonexistent' };

async function found(
  t: TestContext,
  env: Readonly<Record<string, string>>,
  argv: readonly string[] = ['s3://bucket/key'],
): Promise<DfgetOptions['objectStorage']> {
  const before = { ...process.env };
  t.after(() => void (process.env = before));
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
  Object.assign(process.env, nowhere, env);
  const sink = new Writable();
  const io = { stdin: process.stdin, stdout: sink, stderr: sink, env, signal: t.signal };
  const options = parseDfgetOptions([...argv, '-O', '/out'], io);
  assert.ok(options);
  return (await withOwnCredentials(options, { env })).objectStorage;
}

test('credentials come from the environment, with their token, region and endpoint', async (t) => {
  const env = { AWS_ACCESS_KEY_ID: 'AK', AWS_SECRET_ACCESS_KEY: 'secret', AWS_SESSION_TOKEN: 'token' };
  const place = { AWS_REGION: 'eu-central-1', AWS_ENDPOINT_URL: 'http://store:9000' };
  assert.deepEqual(await found(t, { ...env, ...place }), {
    region: 'eu-central-1',
    endpoint: 'http://store:9000',
    accessKeyId: 'AK',
    accessKeySecret: 'secret',
    sessionToken: 'token',
  });
});

test('from a profile of the shared files', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'aws-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'credentials');
  writeFileSync(file, '[work]\naws_access_key_id = AKW\naws_secret_access_key = s\naws_session_token = t\n');
  const env = { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: '/nonexistent', AWS_PROFILE: 'work' };
  assert.deepEqual(await found(t, env), { accessKeyId: 'AKW', accessKeySecret: 's', sessionToken: 't' });
});

test('from the metadata service of a container', async (t) => {
  const body = { AccessKeyId: 'AKC', SecretAccessKey: 's', Token: 't', Expiration: '2999-01-01T00:00:00Z' };
  const server = createServer((_request, response) => void response.end(JSON.stringify(body))).listen(0, '127.0.0.1');
  t.after(() => (server.closeAllConnections(), server.close()));
  await new Promise((resolve) => server.once('listening', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/credentials`;
  assert.deepEqual(await found(t, { AWS_CONTAINER_CREDENTIALS_FULL_URI: url }), {
    accessKeyId: 'AKC',
    accessKeySecret: 's',
    sessionToken: 't',
  });
});

test('of other stores by their own variables', async (t) => {
  const oss = { OSS_ACCESS_KEY_ID: 'AK', OSS_ACCESS_KEY_SECRET: 's' };
  assert.deepEqual(await found(t, oss, ['oss://bucket/key']), { accessKeyId: 'AK', accessKeySecret: 's' });
  const azure = { AZURE_STORAGE_ACCOUNT: 'acc', AZURE_STORAGE_KEY: 'a2V5' };
  assert.deepEqual(await found(t, azure, ['abs://box/key']), {
    endpoint: 'https://acc.blob.core.windows.net',
    accessKeyId: 'acc',
    accessKeySecret: 'a2V5',
  });
  const flags = ['--storage-credential-path', '/key.json'];
  const named = await found(t, { GOOGLE_APPLICATION_CREDENTIALS: '/nonexistent' }, ['gs://bucket/key', ...flags]);
  assert.deepEqual(named, { credentialPath: '/key.json' });
});

test('not where a flag gives them, nor for other stores, and none is as good as anonymous', async (t) => {
  const env = { AWS_ACCESS_KEY_ID: 'AK', AWS_SECRET_ACCESS_KEY: 'secret' };
  const flags = ['--storage-access-key-id', 'mine', '--storage-access-key-secret', 'my secret'];
  assert.equal((await found(t, env, ['s3://bucket/key', ...flags]))?.['accessKeyId'], 'mine');
  assert.equal(await found(t, env, ['cos://bucket/key']), undefined);
  assert.equal(await found(t, {}), undefined);
});
