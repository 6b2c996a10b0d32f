import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { ControlKey, controlKeysHeader, controlProofHeader, provenKey, ticketKey, toldKeys } from './control-key.ts';

const metadataOf = (name: string, value: string): Metadata => {
  const metadata = new Metadata();
  metadata.set(name, value);
  return metadata;
};

test('a proof is of one key and for one address', () => {
  const [own, other] = [ControlKey.generate(), ControlKey.generate()];
  const proof = own.proofFor('10.0.0.1:65000');
  const proven = (text: string, address = '10.0.0.1:65000') => provenKey(metadataOf(controlProofHeader, text), address);
  for (const _time of [1, 2]) assert.equal(proven(proof), own.publicKey);
  assert.equal(proven(ControlKey.from(own.pem).proofFor('10.0.0.1:65000')), own.publicKey);
  assert.equal(proven(proof, '10.0.0.2:65000'), undefined);
  const [, signature = ''] = proof.split('.');
  for (const text of ['', 'x', `${other.publicKey}.${signature}`, `${'A'.repeat(43)}.${signature}`, `${proof}x`])
    assert.equal(proven(text), undefined, text);
  assert.equal(provenKey(new Metadata(), '10.0.0.1:65000'), undefined);
});

test('a ticket is of one key, for one host in one task', () => {
  const own = ControlKey.generate();
  const claimed = { taskId: 'a'.repeat(64), hostId: '10.0.0.1-peer' };
  const ticket = own.ticketFor(claimed);
  assert.equal(ticketKey(ticket, claimed), own.publicKey);
  assert.equal(ticketKey(ticket, { ...claimed, hostId: '10.0.0.2-peer' }), undefined);
  assert.equal(ticketKey(ticket, { ...claimed, taskId: 'b'.repeat(64) }), undefined);
  const other = Buffer.from(ControlKey.generate().publicKey, 'base64url');
  assert.equal(ticketKey(Buffer.concat([other, ticket.subarray(32)]), claimed), undefined);
  for (const bytes of [Buffer.alloc(0), ticket.subarray(1), Buffer.alloc(96)])
    assert.equal(ticketKey(bytes, claimed), undefined);
});

test('what is no key is not heard', () => {
  const { publicKey } = ControlKey.generate();
  assert.deepEqual(toldKeys(metadataOf(controlKeysHeader, `${publicKey},x,${publicKey}`)), [publicKey, publicKey]);
  assert.deepEqual(toldKeys(new Metadata()), []);
});
