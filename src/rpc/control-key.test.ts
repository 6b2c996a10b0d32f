import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { ControlKey, controlKeysHeader, controlProofHeader, provenKey, toldKeys } from './control-key.ts';

const metadataOf = (name: string, value: string): Metadata => {
  const metadata = new Metadata();
  metadata.set(name, value);
  return metadata;
};

test('a proof is of one key and for one address', () => {
  const [own, other] = [ControlKey.generate(), ControlKey.generate()];
  const proof = own.proofFor('10.0.0.1:65000');
  const proven = (text: string, address = '10.0.0.1:65000') => provenKey(metadataOf(controlProofHeader, text), address);
  assert.equal(proven(proof), own.publicKey);
  assert.equal(proven(ControlKey.from(own.pem).proofFor('10.0.0.1:65000')), own.publicKey);
  assert.equal(proven(proof, '10.0.0.2:65000'), undefined);
  const [, signature = ''] = proof.split('.');
  for (const text of ['', 'x', `${other.publicKey}.${signature}`, `${'A'.repeat(43)}.${signature}`, `${proof}x`])
    assert.equal(proven(text), undefined, text);
  assert.equal(provenKey(new Metadata(), '10.0.0.1:65000'), undefined);
});

test('what is no key is not heard', () => {
  const { publicKey } = ControlKey.generate();
  assert.deepEqual(toldKeys(metadataOf(controlKeysHeader, `${publicKey},x,${publicKey}`)), [publicKey, publicKey]);
  assert.deepEqual(toldKeys(new Metadata()), []);
});
