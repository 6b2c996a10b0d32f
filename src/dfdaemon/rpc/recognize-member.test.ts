/** What a service may do at a node with its certificate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metadata } from '@grpc/grpc-js';
import { silentLogger } from '../../core/process/logger.ts';
import type { MemberRole } from '../../rpc/server/caller.ts';
import { ControlPlane } from '../cluster/control-plane.ts';
import { recognizeMember } from './recognize-member.ts';

async function roleOf(role: MemberRole, clusterId: number, ownCluster: number): Promise<string | undefined> {
  const controlPlane = new ControlPlane(silentLogger);
  controlPlane.clusterId = ownCluster;
  const identity = { role, hostId: '10.0.0.9-other', clusterId };
  const facts = { address: '10.0.0.9', onThisMachine: false, identity, metadata: new Metadata() };
  const caller = await recognizeMember(facts, { controlPlane, ownAddress: '10.0.0.1:65000' });
  return caller.kind === 'member' ? caller.role : undefined;
}

test('a scheduler of another cluster gives no work to nodes of this one', async () => {
  assert.equal(await roleOf('scheduler', 1, 1), 'scheduler');
  assert.equal(await roleOf('scheduler', 2, 1), 'peer');
  assert.equal(await roleOf('scheduler', 2, 0), 'scheduler', 'no manager has told which cluster this is');
  assert.equal(await roleOf('manager', 0, 1), 'manager');
});
