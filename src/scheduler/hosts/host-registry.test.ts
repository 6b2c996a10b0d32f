import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Host } from '../../../gen/common/v2/common.ts';
import { HostRegistry, type HostOwner } from './host-registry.ts';

const full = { code: 'RESOURCE_EXHAUSTED' };
const from = (address: string, isCertified = false): HostOwner => ({ address, isCertified });

function announce(hosts: HostRegistry, id: string, owner: HostOwner, kernelVersion = ''): void {
  const host = Host.fromPartial({ id, kernelVersion });
  hosts.requireRoom(host, owner);
  hosts.announce(host, { unreachable: false, owner });
}

function announceAll(hosts: HostRegistry, owner: HostOwner, text: string): number {
  for (let count = 0; ; count += 1) {
    try {
      announce(hosts, `${owner.address}-${count}`, owner, text);
    } catch (error) {
      assert.equal((error as { code: string }).code, full.code);
      return count;
    }
  }
}

test('what hosts say of themselves is bounded in bytes, by address and in sum', () => {
  const hosts = new HostRegistry({ totalBytes: 2_000_000, hosts: 1_000_000 });
  const long = 'x'.repeat(60_000);
  const first = announceAll(hosts, from('stranger'), long);
  assert.ok(first > 3 && first < 7, `${first} hosts`);
  assert.doesNotThrow(() => announce(hosts, 'stranger-0', from('stranger'), long), 'one that is known says it again');
  for (const node of ['a', 'b', 'c']) announce(hosts, node, from(node));
  assert.ok(announceAll(hosts, from('c', true), long) > 3, 'a certificate names one host: its holder is no crowd');
  assert.throws(() => announce(hosts, 'last', from('d'), long), full);
  for (let count = 0; count < first; count += 1) hosts.delete(`stranger-${count}`);
  assert.equal(hosts.isKnownAddress('stranger'), false);
  announce(hosts, 'last', from('d'), long);
});

test('one address does not take the places of all others', () => {
  const hosts = new HostRegistry({ totalBytes: Infinity, hosts: 100 });
  assert.equal(announceAll(hosts, from('stranger'), ''), 50);
  announce(hosts, 'a', from('a'));
  announce(hosts, 'b', from('stranger', true));
});
