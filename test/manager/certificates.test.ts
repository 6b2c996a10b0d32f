/** Certificates for members, asked for as openssl makes requests and checked as openssl checks. */
// needs: openssl
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate, createSign } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { Metadata } from '@grpc/grpc-js';
import type { ManagerService } from '../../src/manager/manager-service.ts';
import { certificateHeader, joinTokenHeader, signatureHeader } from '../../src/rpc/identity/proof.ts';
import { ManagerDefinition, SourceType } from '../../gen/manager/v2/manager.ts';
import { ManagerWatchDefinition } from '../../gen/manager/v2/watch.ts';
import { CertificateDefinition } from '../../gen/security/v1/security.ts';
import { databaseConfig } from './support/engines.ts';
import { TestClient } from './support/grpc-client.ts';
import { rootOf, startManager } from './support/manager-fixture.ts';
import type { RestClient } from './support/rest-client.ts';

const run = promisify(execFile);

describe('certificates', () => {
  let directory: string;
  let manager: ManagerService;
  let root: RestClient;
  let client: TestClient<typeof CertificateDefinition>;
  let token: string;
  let requests = 0;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'manager-ca-'));
    const database = databaseConfig({ sqlite: { path: join(directory, 'manager.db') } });
    manager = await startManager(database, { security: { autoIssueCert: true } });
    root = await rootOf(manager);
    client = new TestClient(CertificateDefinition, manager.grpcPort);
    ({ token } = await root.ok<{ token: string }>('POST', '/api/v1/join-tokens', {
      name: 'nodes',
      expired_at: '2099-01-01T00:00:00Z',
    }));
  });
  after(async () => {
    client[Symbol.dispose]();
    await manager[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  async function request(
    names: string,
    key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  ): Promise<{ csr: Buffer; keyPem: string }> {
    requests += 1;
    const [csr, keyFile] = [join(directory, `${requests}.csr`), join(directory, `${requests}.key`)];
    await run('openssl', [
      'req',
      '-new',
      ...key,
      '-nodes',
      '-keyout',
      keyFile,
      '-outform',
      'DER',
      '-out',
      csr,
      '-subj',
      '/O=Dragonfly/CN=node',
      '-addext',
      `subjectAltName=${names}`,
    ]);
    return { csr: await readFile(csr), keyPem: await readFile(keyFile, 'utf8') };
  }

  async function issue(
    csr: Uint8Array,
    metadata: Record<string, string | Buffer> = { [joinTokenHeader]: token },
    seconds?: number,
  ): Promise<X509Certificate[]> {
    const header = new Metadata();
    for (const [name, value] of Object.entries(metadata)) header.set(name, value);
    const validityPeriod = seconds === undefined ? undefined : { seconds, nanos: 0 };
    const { certificateChain } = await client.call(
      'issueCertificate',
      { csr: Buffer.from(csr), validityPeriod },
      header,
    );
    return certificateChain.map((der) => new X509Certificate(der));
  }

  const issueTo = async (names: string): Promise<{ leaf: X509Certificate; keyPem: string }> => {
    const { csr, keyPem } = await request(names);
    const [leaf] = await issue(csr);
    assert.ok(leaf);
    return { leaf, keyPem };
  };

  test('a member with a join token gets a short-lived certificate that openssl accepts, chain and all', async () => {
    const { csr } = await request('IP:127.0.0.1,DNS:node-1');
    const [leaf, authority, ...more] = await issue(csr, undefined, 365 * 24 * 3600);
    assert.ok(leaf && authority && more.length === 0);
    assert.ok(authority.ca);
    assert.equal(leaf.subjectAltName, 'IP Address:127.0.0.1, DNS:node-1');
    const lifeMs = leaf.validToDate.getTime() - Date.now();
    assert.ok(lifeMs > 0 && lifeMs <= 24 * 3600 * 1000);
    await writeFile(join(directory, 'leaf.pem'), leaf.toString());
    await writeFile(join(directory, 'ca.pem'), authority.toString());
    for (const purpose of ['sslserver', 'sslclient']) {
      const { stdout } = await run('openssl', [
        'verify',
        '-x509_strict',
        '-purpose',
        purpose,
        '-CAfile',
        join(directory, 'ca.pem'),
        join(directory, 'leaf.pem'),
      ]);
      assert.match(stdout, /OK/);
    }
    const { certificate } = await root.ok<{ certificate: string }>('GET', '/api/v1/certificates/authority');
    assert.equal(new X509Certificate(certificate).fingerprint256, authority.fingerprint256);
  });

  test('DF2-13 without a join token or a certificate nobody gets one', async () => {
    const { csr } = await request('IP:127.0.0.1');
    await assert.rejects(issue(csr, {}), { code: 16 });
    await assert.rejects(issue(csr, { [joinTokenHeader]: 'wrong' }), { code: 16 });
    const { token: old } = await root.ok<{ token: string }>('POST', '/api/v1/join-tokens', {
      name: 'old',
      expired_at: '2001-01-01T00:00:00Z',
    });
    await assert.rejects(issue(csr, { [joinTokenHeader]: old }), { code: 16 });
  });

  test('DF2-13 a request for someone else’s address or name is refused', async () => {
    await assert.rejects(issue((await request('IP:127.0.0.1,IP:10.0.0.5')).csr), { code: 7 });
    using members = new TestClient(ManagerDefinition, manager.grpcPort);
    await members.call('updateScheduler', {
      sourceType: SourceType.SCHEDULER_SOURCE,
      hostname: 'scheduler-0',
      ip: '10.0.0.5',
      port: 8002,
      schedulerClusterId: 1,
      features: [],
      config: new Uint8Array(),
    });
    await assert.rejects(issue((await request('IP:127.0.0.1,DNS:scheduler-0')).csr), { code: 7 });
  });

  test('bad requests are refused: no address, weak key, wrong signature, nonsense', async () => {
    await assert.rejects(issue((await request('DNS:node-1')).csr), { code: 3 });
    await assert.rejects(issue((await request('IP:127.0.0.1', ['-newkey', 'rsa:1024'])).csr), { code: 3 });
    await assert.rejects(issue((await request('IP:127.0.0.1,URI:https://x')).csr), { code: 3 });
    const { csr } = await request('IP:127.0.0.1');
    const forged = Buffer.from(csr);
    forged[forged.length - 5] = (forged[forged.length - 5] ?? 0) ^ 1;
    await assert.rejects(issue(forged), { code: 3 });
    await assert.rejects(issue(Buffer.from('nonsense')), { code: 3 });
    await assert.rejects(issue(Buffer.alloc(100_000)), { code: 3 });
  });

  test('a member renews with the certificate it holds, for its own names and with a new key', async () => {
    const { leaf, keyPem } = await issueTo('IP:127.0.0.1,DNS:node-2');
    const renew = async (names: string, key = keyPem): Promise<X509Certificate | undefined> => {
      const { csr } = await request(names);
      const signature = createSign('sha256').update(csr).sign(key);
      const [renewed] = await issue(csr, { [certificateHeader]: leaf.raw, [signatureHeader]: signature });
      return renewed;
    };
    const renewed = await renew('IP:127.0.0.1,DNS:node-2');
    assert.notEqual(renewed?.serialNumber, leaf.serialNumber);
    await assert.rejects(renew('IP:127.0.0.1,DNS:node-3'), { code: 7 });
    await assert.rejects(renew('IP:127.0.0.1', (await request('IP:127.0.0.1')).keyPem), { code: 16 });
  });

  test('a revoked certificate renews nothing and is on the list members read', async () => {
    const { leaf, keyPem } = await issueTo('IP:127.0.0.1,DNS:node-4');
    const serial = leaf.serialNumber.toLowerCase();
    await root.ok('POST', `/api/v1/certificates/${serial}/revoke`);
    assert.equal((await root.request('POST', `/api/v1/certificates/${serial}/revoke`)).status, 404);
    using watch = new TestClient(ManagerWatchDefinition, manager.grpcPort);
    assert.deepEqual((await watch.call('listRevokedCertificates', {})).serials, [serial]);
    const { csr } = await request('IP:127.0.0.1,DNS:node-4');
    const signature = createSign('sha256').update(csr).sign(keyPem);
    await assert.rejects(issue(csr, { [certificateHeader]: leaf.raw, [signatureHeader]: signature }), { code: 16 });
    const listed = await root.ok<{ serial: string; revoked_at: string | null }[]>(
      'GET',
      '/api/v1/certificates?per_page=100',
    );
    assert.ok(listed.find((row) => row.serial === serial)?.revoked_at);
  });

  test('with a certificate goes what was renewed by it, and nothing that was there before or is another’s', async () => {
    const names = 'IP:127.0.0.1,DNS:node-5';
    const { leaf: old } = await issueTo(names);
    const { leaf: other } = await issueTo('IP:127.0.0.1,DNS:node-6');
    const { leaf: stolen, keyPem } = await issueTo(names);
    const renew = async (by: X509Certificate, key: string, wanted: string) => {
      const { csr, keyPem: next } = await request(wanted);
      const signature = createSign('sha256').update(csr).sign(key);
      const [renewed] = await issue(csr, { [certificateHeader]: by.raw, [signatureHeader]: signature });
      assert.ok(renewed);
      return { renewed, key: next };
    };
    const { leaf: anew, keyPem: anewKey } = await issueTo(names);
    const first = await renew(stolen, keyPem, names);
    const { renewed: kept } = await renew(anew, anewKey, names);
    const second = await renew(first.renewed, first.key, 'IP:127.0.0.1');
    await root.ok('POST', `/api/v1/certificates/${stolen.serialNumber.toLowerCase()}/revoke`);
    using watch = new TestClient(ManagerWatchDefinition, manager.grpcPort);
    const { serials } = await watch.call('listRevokedCertificates', {});
    for (const { serialNumber } of [stolen, first.renewed, second.renewed])
      assert.ok(serials.includes(serialNumber.toLowerCase()));
    // The node that was set up anew goes on, also with what it has renewed since.
    for (const { serialNumber } of [old, other, anew, kept]) assert.ok(!serials.includes(serialNumber.toLowerCase()));
    await assert.rejects(renew(second.renewed, second.key, 'IP:127.0.0.1'), { code: 16 });
  });

  test('replicas share one authority, and its key is in the database only encrypted', async () => {
    const database = databaseConfig({ sqlite: { path: join(directory, 'manager.db') } });
    await using other = await startManager(database, { security: { autoIssueCert: true } });
    const { certificate } = await (
      await rootOf(other)
    ).ok<{ certificate: string }>('GET', '/api/v1/certificates/authority');
    assert.equal(
      certificate,
      (await root.ok<{ certificate: string }>('GET', '/api/v1/certificates/authority')).certificate,
    );
    const rows = await manager.database.db.selectFrom('secret').selectAll().execute();
    assert.ok(!JSON.stringify(rows).includes('PRIVATE KEY'));
  });
});
