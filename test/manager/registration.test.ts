/** Who may register at a manager of a cluster without certificates, and how much. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/process/logger.ts';
import { maxNewcomersPerAddress } from '../../src/manager/limits.ts';
import { Newcomers } from '../../src/manager/rpc/newcomers.ts';
import type { CallContext } from '../../src/rpc/call-context.ts';
import { Channels } from '../../src/rpc/channels.ts';
import { createClient } from '../../src/rpc/client.ts';
import { ManagerDefinition, SourceType } from '../../gen/manager/v2/manager.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { databaseConfig } from './support/engines.ts';
import { startManager } from './support/manager-fixture.ts';

const refused = { code: 'PERMISSION_DENIED' };

test('a member registers its own address only, and keeps nobody else alive', { timeout: 60_000 }, async () => {
  await using directory = await temporaryDirectory('df-registration-');
  await using manager = await startManager(databaseConfig({ sqlite: { path: directory.join('manager.db') } }), {
    security: { registerFromAnyAddress: false },
  });
  await using channels = new Channels();
  const client = createClient(ManagerDefinition, channels, `127.0.0.1:${manager.grpcPort}`);
  const scheduler = (ip: string) =>
    client.updateScheduler({
      sourceType: SourceType.SCHEDULER_SOURCE,
      hostname: 'scheduler',
      ip,
      port: 8002,
      schedulerClusterId: 1,
      features: ['schedule'],
      config: new Uint8Array(),
    });
  const seed = (ip: string) =>
    client.updateSeedPeer({
      sourceType: SourceType.SEED_PEER_SOURCE,
      hostname: 'seed',
      ip,
      port: 65_000,
      downloadPort: 65_000,
      type: 'super',
      seedPeerClusterId: 1,
    });
  const beat = (ip: string) =>
    client.keepAlive(
      (async function* () {
        yield await Promise.resolve({
          sourceType: SourceType.SCHEDULER_SOURCE,
          hostname: 'scheduler',
          ip,
          clusterId: 1,
        });
      })(),
    );
  for (const register of [scheduler, seed, beat]) await assert.rejects(register('192.0.2.7'), refused);
  await assert.rejects(
    client.deleteSeedPeer({
      sourceType: SourceType.SEED_PEER_SOURCE,
      hostname: 'seed',
      ip: '192.0.2.7',
      seedPeerClusterId: 1,
    }),
    refused,
  );
  for (const register of [scheduler, seed, beat]) await register('127.0.0.1');
});

test('one address registers a few members, says so aloud, and takes no places of others', async () => {
  const rows = new Map<string, number>();
  const said: object[] = [];
  const newcomers = new Newcomers({
    members: {
      find: (_kind, { hostname }) => Promise.resolve(hostname === 'known' ? 1 : undefined),
      count: (_kind, ip) => Promise.resolve(ip === undefined ? 100 : (rows.get(ip) ?? 0)),
    },
    certified: false,
    logger: { ...silentLogger, warn: (record: object) => void said.push(record) } as typeof silentLogger,
  });
  const register = async (ip: string, hostname: string): Promise<void> => {
    const caller = { kind: 'stranger', address: ip, onThisMachine: false } as const;
    await newcomers.admit('scheduler', { hostname, ip, clusterId: 1 }, { caller, peerHost: ip } as CallContext);
    rows.set(ip, (rows.get(ip) ?? 0) + 1);
  };
  for (let count = 0; count < maxNewcomersPerAddress; count += 1) await register('10.0.0.66', `s${count}`);
  assert.equal(said.length, maxNewcomersPerAddress);
  await assert.rejects(register('10.0.0.66', 'one more'), { code: 'RESOURCE_EXHAUSTED' });
  await register('10.0.0.66', 'known');
  await register('10.0.0.67', 'another');
});
