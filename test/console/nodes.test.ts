/** The console while nodes are in trouble: who is lost and who is hung, since when, and that nobody is forgotten. */
// needs: chromium
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Concern } from '../../src/manager/nodes/concerns.ts';
import type { Node } from '../../src/manager/nodes/node.ts';
import { eventually } from '../manager/support/engines.ts';
import { startLiveCluster, type LiveCluster } from './live-cluster.ts';

let live: LiveCluster;
before(async () => {
  live = await startLiveCluster();
});
after(() => live[Symbol.asyncDispose]());

test('a killed and a stopped peer are told, acknowledged, and outlive restarts of scheduler and manager', async () => {
  await using visitor = await live.visit({ expectOutage: true });
  const { page } = visitor;
  await visitor.sees('Nothing needs attention.');
  await live.downloadOnPeers(live.origin.add('/past.bin', { content: Buffer.alloc(5 * 2 ** 20, 7) }));
  await page.getByRole('link', { name: 'Nodes', exact: true }).click();
  for (const { name } of live.cluster.daemons)
    await page.getByRole('row', { name: new RegExp(`${name}.*Online`) }).waitFor();
  await visitor.checkAccessibility();

  await live.cluster.kill('peer-1');
  const hung = live.cluster.daemon('peer-2').process;
  hung.kill('SIGSTOP');
  try {
    await page.getByRole('row', { name: /peer-1.*Lost/ }).waitFor();
    await page.getByRole('row', { name: /peer-2.*Hung/ }).waitFor();
    await visitor.go('/');
    await visitor.sees('peer-1 is lost.');
    await visitor.sees('peer-2 is hung: its connections stand, but it says nothing.');
    await visitor.sees('See whether the machine runs');
    await visitor.checkAccessibility();

    const rest = await live.rest();
    const before = await troubleOf(rest.ok('GET', '/api/v1/nodes?per_page=100'));
    assert.deepEqual([...before.keys()], ['peer-1', 'peer-2']);
    const alert = page.getByRole('alert').filter({ hasText: 'peer-1 is lost' });
    await alert.getByRole('button', { name: 'I take care of it' }).click();
    await visitor.button('1 acknowledged concern').click();
    await visitor.sees('root takes care of it');

    await live.cluster.kill('scheduler-1');
    await live.cluster.kill('manager');
    await live.cluster.restart('manager');
    await live.cluster.restart('scheduler-1');
    await visitor.go('/');
    await page.getByRole('button', { name: 'Month' }).click();
    // What was got before the restarts is still there.
    await page.getByRole('region', { name: 'Traffic of the past' }).getByText('Downloads finished').waitFor();
    await page
      .getByRole('region', { name: 'Traffic of the past' })
      .getByText(/^[34]$/)
      .waitFor();
    await visitor.checkAccessibility();
    await visitor.go('/nodes?state=online');
    for (const name of ['seed-1', 'peer-3'])
      await page.getByRole('row', { name: new RegExp(`${name}.*Online`) }).waitFor();
    const again = await live.rest();
    // What was not written down yet when the manager was killed is found out again.
    const since = await eventually(async () => {
      const found = await troubleOf(again.ok('GET', '/api/v1/nodes?per_page=100'));
      assert.deepEqual([...found.keys()], ['peer-1', 'peer-2']);
      return found;
    }, 60_000);
    assert.equal(since.get('peer-1'), before.get('peer-1'));
    await eventually(async () => {
      const concerns = await again.ok<Concern[]>('GET', '/api/v1/concerns');
      assert.equal(concerns.find(({ name }) => name === 'peer-1')?.acknowledged_by, 'root');
    });
  } finally {
    hung.kill('SIGCONT');
  }
  await visitor.go('/nodes');
  await page.getByRole('row', { name: /peer-2.*Online/ }).waitFor();
  await page.getByRole('link', { name: 'peer-1' }).click();
  await visitor.heading('peer-1');
  await visitor.sees('What became of it');
  await visitor.sees('its connection broke');
  // What it got before it was killed, and who gave it.
  await page.getByRole('row', { name: /past\.bin.*5 MiB.*(seed|peer)-\d.*Succeeded/ }).waitFor();
  await visitor.checkAccessibility();
});

/** Since when, by name, of those that are not online. */
async function troubleOf(nodes: Promise<Node[]>): Promise<ReadonlyMap<string, number>> {
  const troubled = (await nodes).filter(({ state }) => state !== 'online');
  return new Map(troubled.map(({ host_name: name, since_ms: since }) => [name, since]));
}
