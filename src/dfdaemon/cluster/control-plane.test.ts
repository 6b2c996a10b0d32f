import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../core/process/logger.ts';
import { ControlPlane } from './control-plane.ts';
import { EgressPolicy } from '../source/egress-policy.ts';

test('no origin request reaches the control plane, as it is now', async () => {
  const controlPlane = new ControlPlane(silentLogger);
  const policy = new EgressPolicy({ allow: ['0.0.0.0/0', '::/0'], controlPlane });
  const denied = (address: string, port: number): boolean =>
    policy.denial({ address, port, loopbackAllowed: true }) !== undefined;
  await controlPlane.update('manager', ['10.0.0.1:65003', '[2001:db8:0::1]:65003', 'localhost:8002']);
  await controlPlane.update('schedulers', ['10.0.0.2:8002', '10.0.0.3:8002']);
  controlPlane.addOwnPort(65_000, '0.0.0.0');
  controlPlane.addOwnPort(65_001, '127.0.0.1');
  const cases: [string, number, boolean][] = [
    ['10.0.0.1', 65_003, true],
    ['10.0.0.1', 8080, false],
    ['2001:db8::1', 65_003, true],
    ['::ffff:10.0.0.1', 65_003, true],
    ['127.0.0.1', 8002, true],
    ['10.0.0.2', 8002, true],
    ['127.0.0.1', 65_000, true],
    ['127.1.2.3', 65_000, true],
    ['::1', 65_000, true],
    ['10.9.9.9', 65_000, false],
    ['127.0.0.1', 65_001, true],
    ['0.0.0.0', 65_001, true],
    ['127.1.2.3', 65_001, false], // another program may listen at this address
  ];
  for (const [address, port, expected] of cases) assert.equal(denied(address, port), expected, `${address} ${port}`);
  await controlPlane.update('schedulers', ['10.0.0.3:8002', '10.0.0.4:8002', 'no-such-name.invalid:1']);
  assert.deepEqual(
    ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'].map((address) => denied(address, 8002)),
    [false, false, true, true],
  );
});
