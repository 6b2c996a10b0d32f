import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasStandingSecret, redact, redactHeaders } from './redact.ts';

describe('secrets in URLs are taken out by their place', () => {
  const cases: [string, string][] = [
    ['https://me:p%40ss@host/x', 'https://***@host/x'],
    ['https://me:p@ss@host/x', 'https://***@host/x'],
    ['https://token@host/x', 'https://***@host/x'],
    ['https://host/x?api_key=s&a=1', 'https://host/x?api_key=***&a=1'],
    ['https://host/x?a=1&apikey=s', 'https://host/x?a=1&apikey=***'],
    ['https://host/x?private_token=s#f', 'https://host/x?private_token=***#f'],
    ['https://host/x?key=s', 'https://host/x?key=***'],
    ['https://host/x?sv=1&sig=s%3D', 'https://host/x?sv=1&sig=***'],
    ['https://host/x?X-Amz-Signature=s&X-Amz-Credential=c', 'https://host/x?X-Amz-Signature=***&X-Amz-Credential=***'],
    ['https://host/x?monkey=banana&keyboard=de', 'https://host/x?monkey=banana&keyboard=de'],
    ['https://host/mail@example.org', 'https://host/mail@example.org'],
    ['https://host/x?mail=me@example.org', 'https://host/x?mail=me@example.org'],
  ];
  for (const [given, expected] of cases) test(given, () => assert.equal(redact(given), expected));
});

test('what opens more than one object stays with its owner', () => {
  const standing = [
    'https://me:pw@host/x',
    'https://host/x?api_key=s',
    'https://host/x?access_token=s',
    'ftp://a:b@host/x',
  ];
  for (const url of standing) assert.equal(hasStandingSecret(url), true, url);
  const others = [
    'https://host/x',
    'https://host/x?X-Amz-Credential=c&X-Amz-Security-Token=t&X-Amz-Signature=s',
    'https://host/x?AWSAccessKeyId=a&Signature=s&Expires=1',
    'https://host/x?sv=1&sig=s',
    'hdfs://user@host/x',
    'no URL',
  ];
  for (const url of others) assert.equal(hasStandingSecret(url), false, url);
});

test('of headers only those are kept that open nothing', () => {
  const secret = [
    'Authorization',
    'PRIVATE-TOKEN',
    'X-JFrog-Art-Api',
    'apikey',
    'Cookie',
    'awsSecretAccessKey',
    'X-Anything',
  ];
  const header = { Accept: '*/*', 'User-Agent': 'x', ...Object.fromEntries(secret.map((name) => [name, 'secret'])) };
  assert.deepEqual(redactHeaders(header), {
    Accept: '*/*',
    'User-Agent': 'x',
    ...Object.fromEntries(secret.map((name) => [name, '***'])),
  });
});

test('long texts cost little', { timeout: 60_000 }, () => {
  for (const text of ['a.'.repeat(200_000), `?${'a'.repeat(400_000)}`, '&_'.repeat(200_000), 'a://'.repeat(100_000)])
    assert.ok(redact(text).length >= text.length / 2);
});
