import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { EgressPolicy, type EgressRules } from './egress-policy.ts';

function allows(address: string, rules: EgressRules = {}, loopbackAllowed = true): boolean {
  return new EgressPolicy(rules).denial({ address, port: 80, loopbackAllowed }) === undefined;
}

describe('EgressPolicy', () => {
  it('lets origins be anywhere but where none lives', () => {
    for (const address of ['10.1.2.3', '192.168.0.1', '93.184.216.34', '127.0.0.1', '::1', '2001:db8::1', 'fd00::1']) {
      assert.ok(allows(address), address);
    }
    for (const address of [
      '169.254.169.254',
      'fe80::1',
      'fe80::1%eth0',
      'fd00:ec2::254',
      '168.63.129.16',
      'fd20:ce::254',
      'fd00:42::42',
      '100.100.100.200',
      '224.0.0.1',
      'ff02::1',
    ]) {
      assert.ok(!allows(address), address);
    }
  });

  it('sees through addresses that carry another', () => {
    for (const address of [
      '::ffff:169.254.169.254',
      '::ffff:a9fe:a9fe',
      '64:ff9b::169.254.169.254',
      '2002:a9fe:a9fe::1',
    ]) {
      assert.ok(!allows(address), address);
      assert.ok(allows(address.replace(/169.254.169.254/, '8.8.8.8').replaceAll('a9fe', '0808')), address);
    }
  });

  it('lets no redirect lead to this machine', () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '0.0.0.0', '::', '::ffff:127.0.0.1']) {
      assert.ok(allows(address, {}, true), address);
      assert.ok(!allows(address, {}, false), address);
    }
    assert.ok(allows('10.0.0.1', {}, false));
  });

  it('takes an allow list as complete, and a denial above it', () => {
    const rules = { allow: ['10.0.0.0/8', 'fd00::/8', '169.254.1.0/24'], deny: ['10.9.0.0/16'] };
    assert.deepEqual(
      ['10.1.1.1', 'fd12::1', '169.254.1.7', '10.9.1.1', '8.8.8.8', '169.254.2.1'].map((address) =>
        allows(address, rules),
      ),
      [true, true, true, false, false, false],
    );
  });

  it('guards single services by address and port', () => {
    const rules = { denyEndpoints: ['10.0.0.1:80'] };
    assert.ok(!allows('10.0.0.1', rules));
    assert.ok(!allows('::ffff:10.0.0.1', rules));
    assert.ok(allows('10.0.0.2', rules));
  });

  it('refuses rules that are no addresses', () => {
    for (const cidr of ['example.org', '10.0.0.0/33', '10.0.0.0/', '::/129', '']) {
      assert.throws(() => new EgressPolicy({ deny: [cidr] }), { code: 'CONFIG_INVALID' }, cidr);
    }
  });
});
