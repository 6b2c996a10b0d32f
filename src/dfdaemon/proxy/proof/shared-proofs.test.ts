import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { SharedProofs, type ProofSharing, type ProofSharingScope } from './shared-proofs.ts';

/** Another member that answers every question with the same word. */
const other: ProofSharing = {
  isOwn: () => Promise.resolve(false),
  askProof: () => Promise.resolve({ proof: Buffer.from('"of another"'), ttlMs: 1000 }),
  tellProof: () => Promise.resolve(),
};

async function answerTo(scope: ProofSharingScope, byDigest: boolean): Promise<string> {
  const shared = new SharedProofs(other, { clusterKey: Buffer.from('key'), scope });
  const answered = await shared.once({
    byDigest,
    parts: ['question'],
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
