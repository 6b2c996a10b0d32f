import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Host } from '../../../gen/common/v2/common.ts';
import { silentLogger } from '../../core/process/logger.ts';
import { KnownSeeds } from './known-seeds.ts';

/** A manager that lists one seed only when it is asked again. */
function knownSeeds(proven: boolean) {
  const listed = { hostname: 'seed', ip: '10.9.0.1', clusterId: 1 };
  const settings = { seedPeers: [] as (typeof listed)[], applications: [] };
  let asked = 0;
  const refresh = (): Promise<void> => {
    asked += 1;
    settings.seedPeers = [listed];
    return Promise.resolve();
  };
  const dynamic = { settings: settings as never, refresh };
  return { seeds: new KnownSeeds({ proven, dynamic, logger: silentLogger }), asked: () => asked };
}

const host = (hostname: string, ip: string): Host => Host.fromPartial({ id: `${ip}-${hostname}-seed`, hostname, ip });

test('where certificates are preferred, one without is a seed when the manager lists it', async () => {
  const { seeds, asked } = knownSeeds(true);
  assert.equal(await seeds.has(host('seed', '10.9.0.1')), true, 'it had registered a moment ago');
  for (const stranger of [host('seed', '10.9.0.2'), host('other', '10.9.0.1')])
    for (let time = 0; time < 5; time += 1) assert.equal(await seeds.has(stranger), false);
  assert.equal(asked(), 1, 'the manager is not asked for each of them');
});

test('a seed with the certificate of another cluster is a peer like any other', async () => {
  const { seeds } = knownSeeds(true);
  const any = host('any', '10.9.0.2');
  assert.equal(await seeds.has(any, { isCertified: true, clusterId: 2 }), true, 'no seed of this cluster is known yet');
  await seeds.has(any);
  assert.equal(await seeds.has(any, { isCertified: true, clusterId: 1 }), true);
  assert.equal(await seeds.has(any, { isCertified: true, clusterId: 2 }), false);
});

test('elsewhere everybody is believed', async () => {
  const { seeds, asked } = knownSeeds(false);
  assert.equal(await seeds.has(host('any', '10.9.0.2')), true);
  assert.equal(asked(), 0);
});
