import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callerKey } from './caller.ts';

test('what clients of registries and download managers send of themselves makes nobody somebody', () => {
  const ofClients = {
    'user-agent': 'containers/5',
    'docker-distribution-api-version': 'registry/2.0',
    'want-digest': 'SHA-256;q=1',
  };
  assert.equal(callerKey(ofClients), '');
  assert.notEqual(callerKey({ ...ofClients, authorization: 'Bearer a' }), '');
  assert.notEqual(callerKey({ 'x-of-somebody': 'a' }), '');
});
