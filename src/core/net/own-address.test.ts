import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isLoopbackAddress, isOwnAddress, namesLoopback } from './own-address.ts';

describe('a URL means the machine of the one who says it', () => {
  const loopback = [
    'http://127.0.0.1:18080/token',
    'http://127.9.9.9/',
    'http://localhost/x',
    'https://LOCALHOST.:8443/x',
    'http://app.localhost/x',
    'http://[::1]/x',
    'http://[::ffff:127.0.0.1]/x',
    'http://[::]/x',
    'http://0.0.0.0/x',
    'http://0/x',
    'http://2130706433/x',
    'http://0x7f.1/x',
    'http://127.1/x',
    'http://user:password@127.0.0.1/x',
    'hdfs://localhost:9870/x',
    'hdfs://2130706433/x',
    'oras://127.0.0.1:5000/a/b:c',
  ];
  for (const url of loopback) test(url, () => assert.equal(namesLoopback(url), true));

  const elsewhere = [
    'http://10.0.0.1/',
    'http://localhost.example.org/',
    'http://[2001:db8::1]/',
    's3://models/x',
    'no URL',
  ];
  for (const url of elsewhere) test(`not ${url}`, () => assert.equal(namesLoopback(url), false));
});

test('addresses of this machine', () => {
  assert.ok(isOwnAddress('127.0.0.1') && isOwnAddress('::1') && isOwnAddress('::ffff:127.0.0.1'));
  assert.equal(isOwnAddress('192.0.2.1'), false);
  assert.equal(isOwnAddress(''), false);
  assert.equal(isLoopbackAddress('192.0.2.1'), false);
});
