import assert from 'node:assert/strict';
import { test } from 'node:test';
import { identityOf, identityUri, parseIdentityUri, type MemberIdentity } from './member-identity.ts';

const seed: MemberIdentity = { role: 'seed', hostId: "10.0.0.7-node (7)'s,host-seed", clusterId: 3 };

test('an identity survives its way through a certificate', () => {
  const uri = identityUri(seed);
  assert.match(uri, /^[\w:/.~%-]+$/, 'nothing that is put in quotes on the way');
  assert.deepEqual(parseIdentityUri(uri), seed);
  assert.deepEqual(identityOf(`IP Address:10.0.0.7, URI:${uri}, DNS:node-7`), seed);
});

test('what is no identity, or more than one, is none', () => {
  const uri = identityUri(seed);
  const texts = [
    undefined,
    '',
    'DNS:node-7',
    `URI:${uri}, URI:${identityUri({ ...seed, role: 'peer' })}`,
    'URI:dragonfly://member/king/1/x',
    'URI:dragonfly://member/seed/-1/x',
    'URI:dragonfly://member/seed/1/',
    'URI:dragonfly://member/seed/1/%ff',
    `DNS:"URI:${uri}"`,
  ];
  for (const text of texts) assert.equal(identityOf(text), undefined, text);
});
