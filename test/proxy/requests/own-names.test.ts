/** By which names programs of a node call its proxy, and that a page of the internet, led there by its name (DNS rebinding), has none of them. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { mayBeWebPage, readOwnNames, domainsIn, type OwnNames } from '../../../src/dfdaemon/proxy/web-page.ts';
import { issueCertificates } from '../../source/certificates.ts';

const names: OwnNames = {
  hosts: ['node1', 'localhost', '10.0.0.1'],
  domains: domainsIn('nameserver 10.0.0.10\nsearch df.svc.prod.example.com svc.prod.example.com prod.example.com\n'),
  certificate: undefined,
};

const mayBe = (host: string, own = names): boolean => mayBeWebPage({ headers: { host } }, own);

test('programs of the machine call it by many names', () => {
  for (const host of [
    '127.0.0.1:65001',
    '[::1]:65001',
    '10.1.2.3:65001',
    'localhost:65001',
    'node1:65001',
    'NODE1.prod.example.com:65001',
    'node1.prod.example.com.:65001',
    'dfdaemon.dragonfly.svc.cluster.local:4001',
    'dfdaemon.dragonfly.svc.prod.example.com:4001',
    'node2.corp:65001',
    'node2.intranet',
    'node2.home',
    'ip-10-0-0-1.eu-west-1.compute.internal:65001',
  ])
    assert.equal(mayBe(host), false, host);
});

test('no page of the internet has one of them', () => {
  for (const host of [
    'page.example.com:65001',
    'prod.example.com',
    'page.prod.example.com',
    'node1.example.com',
    'node1.evil.example',
    'node11.prod.example.com',
    'node1-x.example.com',
    'x.node1.example.com',
    'localhost.example.com',
    '10.example.com',
    'svc.example.com',
    'x.svc.example.com',
    'corp.example.com',
    'not a name',
    '',
  ])
    assert.equal(mayBe(host), true, host);
  assert.equal(mayBeWebPage({ headers: { host: 'node1', origin: 'http://node1.example.com' } }, names), true);
  assert.equal(mayBeWebPage({ headers: { host: 'node1', 'sec-fetch-site': 'cross-site' } }, names), true);
});

test('the names of the own certificate, and the machine’s', async () => {
  const { cert } = await issueCertificates([{ type: 'dns', value: 'proxy.example.com' }]);
  const own = await readOwnNames('Configured', cert);
  assert.ok(own.certificate instanceof X509Certificate);
  for (const host of ['proxy.example.com', 'configured', hostname()]) assert.equal(mayBe(host, own), false);
  assert.equal(mayBe('page.example.com', own), true);
});
