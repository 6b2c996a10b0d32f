/** Tests each link of each credential chain, against a service that reports the requests it gets. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { importSPKI, jwtVerify } from 'jose';
import { azureCredentials } from './azure.ts';
import { googleFileToken, googleToken } from './google.ts';
import { credentialFinder } from './own-credentials.ts';
import { environmentKeys } from './store-environment.ts';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly header: IncomingMessage['headers'];
  readonly body: string;
}

const asked: Asked[] = [];
let answers: Record<string, unknown> = {};
let url = '';
let directory = '';

const server = createServer((request, response) => {
  let body = '';
  request.setEncoding('utf8').on('data', (text: string) => (body += text));
  request.on('end', () => {
    const path = request.url ?? '';
    asked.push({ method: request.method ?? '', path, header: request.headers, body });
    const answer = answers[path.split('?')[0] ?? ''];
    if (answer === undefined) return void response.writeHead(404).end();
    if (typeof answer === 'number') return void response.writeHead(answer).end('{"error":"invalid_grant"}');
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
});

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => (server.closeAllConnections(), server.close()));
beforeEach(() => {
  asked.length = 0;
  answers = {};
  directory = mkdtempSync(join(tmpdir(), 'credentials-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const form = (): Record<string, string> => Object.fromEntries(new URLSearchParams(asked[0]?.body));
const token = { access_token: 'T', expires_in: 3600 };

function file(content: unknown, name = 'key.json'): string {
  const path = join(directory, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

describe('gs', () => {
  const keys = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });

  test('a service account signs for a token, which is kept until it ends', async () => {
    answers = { '/token': token };
    const account = { client_email: 'me@project', private_key: keys.privateKey, private_key_id: 'k1' };
    const path = file({ type: 'service_account', token_uri: `${url}/token`, ...account });
    const find = googleToken({ env: { GOOGLE_APPLICATION_CREDENTIALS: path } });
    assert.deepEqual([await find(), await find()], ['T', 'T']);
    assert.equal(asked.length, 1);
    const { assertion = '', grant_type: grant } = form();
    assert.equal(grant, 'urn:ietf:params:oauth:grant-type:jwt-bearer');
    const options = { issuer: 'me@project', audience: `${url}/token` };
    const { payload, protectedHeader } = await jwtVerify(assertion, await importSPKI(keys.publicKey, 'RS256'), options);
    assert.equal(protectedHeader.kid, 'k1');
    assert.match(String(payload['scope']), /devstorage\.read_only/);
  });

  test('a token that ends is asked for again', async () => {
    answers = { '/token': { access_token: 'T', expires_in: 60 } };
    const user = { type: 'authorized_user', token_uri: `${url}/token`, refresh_token: 'r' };
    const find = googleFileToken(JSON.stringify(user), 'x', { env: {} });
    await find();
    await find();
    assert.equal(asked.length, 2);
  });

  test('a user of gcloud, by its file in the home directory', async () => {
    answers = { '/token': token };
    mkdirSync(join(directory, '.config', 'gcloud'), { recursive: true });
    const user = { client_id: 'c', client_secret: 's', refresh_token: 'r' };
    const place = '.config/gcloud/application_default_credentials.json';
    file({ type: 'authorized_user', token_uri: `${url}/token`, ...user }, place);
    assert.equal(await googleToken({ env: { HOME: directory } })(), 'T');
    assert.deepEqual(form(), { grant_type: 'refresh_token', ...user });
  });

  test('workload identity: the token of another provider, then in the name of a service account', async () => {
    const impersonated = { accessToken: 'S', expireTime: '2999-01-01T00:00:00Z' };
    answers = { '/sts': token, '/impersonate': impersonated };
    const subject = file({ id_token: 'of-kubernetes' }, 'subject');
    const path = file({
      type: 'external_account',
      audience: '//iam/pool',
      subject_token_type: 'urn:jwt',
      token_url: `${url}/sts`,
      credential_source: { file: subject, format: { type: 'json', subject_token_field_name: 'id_token' } },
      service_account_impersonation_url: `${url}/impersonate`,
    });
    assert.equal(await googleToken({ env: { GOOGLE_APPLICATION_CREDENTIALS: path } })(), 'S');
    assert.equal(form()['subject_token'], 'of-kubernetes');
    assert.equal(asked[1]?.header.authorization, 'Bearer T');
  });

  test('the metadata server of the machine, and none', async () => {
    const path = '/computeMetadata/v1/instance/service-accounts/default/token';
    answers = { [path]: token };
    const env = { HOME: directory, GCE_METADATA_HOST: url.slice('http://'.length) };
    assert.equal(await googleToken({ env })(), 'T');
    assert.equal(asked[0]?.header['metadata-flavor'], 'Google');
    assert.equal(await googleToken({ env: { HOME: directory, GCE_METADATA_HOST: '127.0.0.1:1' } })(), undefined);
    assert.deepEqual(await credentialFinder({ env })('gs'), { authorization: 'Bearer T' });
  });

  test('a file that is none, and a refusal, are told with what to do', async () => {
    answers = { '/token': 400 };
    const of = (path: string) => googleToken({ env: { GOOGLE_APPLICATION_CREDENTIALS: path } })();
    await assert.rejects(of(join(directory, 'absent')), { code: 'CONFIG_INVALID' });
    await assert.rejects(of(file({ type: 'odd' })), { code: 'CONFIG_INVALID', message: /type odd/ });
    await assert.rejects(of(file({ type: 'service_account' })), { code: 'CONFIG_INVALID' });
    const user = { type: 'authorized_user', token_uri: `${url}/token`, refresh_token: 'secret' };
    await assert.rejects(of(file(user)), (error: Error & { code: string }) => {
      assert.equal(error.code, 'UNAUTHENTICATED');
      assert.match(error.message, /400, invalid_grant/);
      return !error.message.includes('secret');
    });
  });
});

describe('abs', () => {
  const of = (env: Record<string, string>) => azureCredentials({ env })();

  test('a connection string, an account with its key, a shared access signature', async () => {
    const text =
      'DefaultEndpointsProtocol=https;AccountName=acc;AccountKey=a2V5==;EndpointSuffix=core.chinacloudapi.cn';
    const place = { account: 'acc', endpoint: 'https://acc.blob.core.chinacloudapi.cn' };
    assert.deepEqual(await of({ AZURE_STORAGE_CONNECTION_STRING: text }), { ...place, key: 'a2V5==', sas: undefined });
    const key = { AZURE_STORAGE_ACCOUNT: 'acc', AZURE_STORAGE_KEY: 'a2V5' };
    assert.deepEqual(await of(key), { account: 'acc', endpoint: undefined, key: 'a2V5' });
    assert.deepEqual(await credentialFinder({ env: key })('abs'), {
      endpoint: 'https://acc.blob.core.windows.net',
      accessKeyId: 'acc',
      accessKeySecret: 'a2V5',
    });
    const sas = { AZURE_STORAGE_ACCOUNT: 'acc', AZURE_STORAGE_SAS_TOKEN: 'sv=1&sig=2' };
    assert.equal((await of(sas))?.sas, 'sv=1&sig=2');
    assert.equal((await credentialFinder({ env: sas })('abs'))?.sessionToken, 'sv=1&sig=2');
  });

  test("a workload's identity, and a program's secret", async () => {
    answers = { '/tenant/oauth2/v2.0/token': token };
    const identity = { AZURE_TENANT_ID: 'tenant', AZURE_CLIENT_ID: 'client', AZURE_AUTHORITY_HOST: `${url}/` };
    const assertion = join(directory, 'token');
    writeFileSync(assertion, 'of-kubernetes\n');
    const workload = { ...identity, AZURE_STORAGE_ACCOUNT: 'acc', AZURE_FEDERATED_TOKEN_FILE: assertion };
    assert.equal((await of(workload))?.token, 'T');
    assert.equal(form()['client_assertion'], 'of-kubernetes');
    assert.equal(form()['scope'], 'https://storage.azure.com/.default');
    assert.equal((await credentialFinder({ env: workload })('abs'))?.authorization, 'Bearer T');
    asked.length = 0;
    assert.equal((await of({ ...identity, AZURE_CLIENT_SECRET: 'secret' }))?.token, 'T');
    assert.equal(form()['client_secret'], 'secret');
  });

  test('the identity of a machine and of an app, and none', async () => {
    answers = { '/metadata/identity/oauth2/token': token, '/msi': token };
    assert.equal((await of({ AZURE_POD_IDENTITY_AUTHORITY_HOST: url }))?.token, 'T');
    assert.equal(asked[0]?.header['metadata'], 'true');
    assert.equal((await of({ IDENTITY_ENDPOINT: `${url}/msi`, IDENTITY_HEADER: 'h' }))?.token, 'T');
    assert.equal(asked[1]?.header['x-identity-header'], 'h');
    assert.equal(await of({ AZURE_POD_IDENTITY_AUTHORITY_HOST: 'http://127.0.0.1:1' }), undefined);
  });
});

describe('other stores', () => {
  test('keys in the variables of their SDKs', async () => {
    const keys = { accessKeyId: 'id', accessKeySecret: 'secret', sessionToken: 't' };
    const of = environmentKeys;
    const oss = { OSS_ACCESS_KEY_ID: 'id', OSS_ACCESS_KEY_SECRET: 'secret', OSS_SESSION_TOKEN: 't' };
    assert.deepEqual(await of('oss', oss), keys);
    assert.deepEqual(
      await of('tos', { TOS_ACCESS_KEY: 'id', TOS_SECRET_KEY: 'secret', TOS_SECURITY_TOKEN: 't' }),
      keys,
    );
    const obs = { OBS_ACCESS_KEY_ID: 'id', OBS_SECRET_ACCESS_KEY: 'secret', OBS_SECURITY_TOKEN: 't' };
    assert.deepEqual(await of('obs', obs), keys);
    const cos = { TENCENTCLOUD_SECRET_ID: 'id', TENCENTCLOUD_SECRET_KEY: 'secret', TENCENTCLOUD_SESSION_TOKEN: 't' };
    assert.deepEqual(await of('cos', cos), keys);
    const ks3 = { KS3_ACCESS_KEY_ID: 'id', KS3_ACCESS_KEY_SECRET: 'secret', KS3_SECURITY_TOKEN: 't' };
    assert.deepEqual(await of('ks3', ks3), keys);
    assert.equal(await of('cos', { OSS_ACCESS_KEY_ID: 'id', OSS_ACCESS_KEY_SECRET: 'secret' }), undefined);
  });

  test('the role of a machine of Alibaba Cloud', async () => {
    answers = {
      '/latest/api/token': 'pass',
      '/latest/meta-data/ram/security-credentials/': 'role',
      '/latest/meta-data/ram/security-credentials/role': {
        AccessKeyId: 'id',
        AccessKeySecret: 'secret',
        SecurityToken: 't',
      },
    };
    const env = { ALIBABA_CLOUD_ECS_METADATA_HOST: url.slice('http://'.length) };
    const keys = { accessKeyId: 'id', accessKeySecret: 'secret', sessionToken: 't' };
    assert.deepEqual(await environmentKeys('oss', env), keys);
    assert.equal(asked.at(-1)?.header['x-aliyun-ecs-metadata-token'], 'pass');
    assert.equal(await environmentKeys('oss', { ALIBABA_CLOUD_ECS_METADATA_DISABLED: 'true' }), undefined);
  });
});
