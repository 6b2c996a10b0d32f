/** The ring of the original's client, against what its own code answers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { OriginalRing } from '../../src/core/original-ring.ts';
import { sipHash } from '../../src/core/sip-hash.ts';

interface Vectors {
  readonly rings: readonly { readonly addresses: readonly string[]; readonly owners: string }[];
}

const { rings } = JSON.parse(readFileSync(new URL('vectors/rust-ring.json', import.meta.url), 'utf8')) as Vectors;

void describe('the ring of the original', () => {
  void it('is built on SipHash-2-4', () => {
    assert.equal(sipHash(new Uint8Array()), 0x1e924b9d737700d7n);
  });

  for (const { addresses, owners } of rings) {
    void it(`gives 1,000 of 1,000 task ids to the same of ${addresses.length} schedulers`, () => {
      const ring = new OriginalRing(addresses.toReversed());
      for (const [index, owner] of owners.split('').entries()) {
        const key = (Math.imul(index, 1_048_573) & 0xfffff).toString(16).padStart(5, '0');
        const order = ring.owners(key + 'f'.repeat(59));
        assert.equal(order[0], addresses[Number(owner)], key);
        assert.equal(new Set(order).size, addresses.length);
      }
    });
  }
});
