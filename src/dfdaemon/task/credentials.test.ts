import assert from 'node:assert/strict';
import { test } from 'node:test';
import { thisProcess } from '../../rpc/server/caller.ts';
import { bringsCredentials } from './credentials.ts';

test('every kind of key is one: what it gets is for those who have one, too', () => {
  const brings = (objectStorage: Record<string, string>, header = {}): boolean =>
    bringsCredentials({
      caller: thisProcess,
      url: 'abs://box/key',
      header,
      objectStorage,
    });
  for (const name of ['accessKeyId', 'sessionToken', 'securityToken', 'credentialPath'])
    assert.equal(brings({ [name]: 'x' }), true, name);
  assert.equal(brings({ endpoint: 'https://store', region: 'r', sessionToken: '' }), false);
  assert.equal(brings({}, { authorization: 'Bearer x' }), true);
  for (const empty of ['', 'Bearer ', 'basic']) assert.equal(brings({}, { Authorization: empty }), false, empty);
});
