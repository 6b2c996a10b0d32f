import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { sharedParts } from './shared-request.ts';
import { SharedProofs, type ProofSharing, type ProofSharingScope } from './shared-proofs.ts';

/** Another member, which answers every question in the same way. */
const other: ProofSharing = {
  isOwn: () => Promise.resolve(false),
  askProof: () => Promise.resolve({ proof: Buffer.from('"of another"'), ttlMs: 1000, isOpen: false }),
  lastProof: () => Promise.resolve({ proof: Buffer.from('"of another, long ago"'), ttlMs: 0 }),
  tellOpenProof: () => Promise.resolve(),
  tellProof: () => Promise.resolve(),
};

async function answerTo(scope: ProofSharingScope, byDigest: boolean, believed = false): Promise<string> {
  const shared = new SharedProofs(other, { clusterKey: Buffer.from('key'), scope });
  const answered = await shared.once({
    byDigest,
    believed,
    parts: sharedParts('question'),
    url: new URL('https://origin.example/object'),
    header: {},
    ask: () => Promise.resolve('of the origin'),
    schema: z.string(),
    told: (value) => ({ value, ttlMs: 0 }),
  });
  return answered.told ?? answered.own;
}

test('what no digest names is asked of the origin itself, unless every member is trusted', async () => {
  assert.equal(await answerTo('digests', true), 'of another');
  assert.equal(await answerTo('digests', false), 'of the origin');
  assert.equal(await answerTo('all', false), 'of another');
  assert.equal(await answerTo('off', true), 'of the origin');
});

test('members are believed where the operator says so for one origin, but not where nothing is shared', async () => {
  assert.equal(await answerTo('digests', false, true), 'of another');
  assert.equal(await answerTo('off', false, true), 'of the origin');
});

test('what was told long ago is there when the origin is not', async () => {
  const subject = {
    parts: sharedParts('question'),
    url: new URL('https://origin.example/'),
    header: {},
    schema: z.string(),
  };
  const shared = new SharedProofs(other, { clusterKey: Buffer.from('key'), scope: 'digests' });
  assert.equal(await shared.last({ ...subject, byDigest: true }), 'of another, long ago');
  assert.equal(await shared.last({ ...subject, byDigest: false }), undefined);
});
