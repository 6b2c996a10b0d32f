import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Host } from '../../../gen/common/v2/common.ts';
import { preheatTargets, type TargetRequest } from './targets.ts';

const hosts = Array.from({ length: 10 }, (_, index) =>
  Host.fromPartial({ id: `host-${index}`, ip: `10.0.0.${index}`, type: index < 3 ? 1 : 0 }),
);
const select = (request: Partial<TargetRequest>, taskId = 'a') =>
  preheatTargets(taskId, hosts, { scope: 'all_peers', ips: [], ...request }, () => 0.5);
const ids = (lists: ReturnType<typeof select>) => lists.map((list) => list.map((host) => host.id));

void describe('the targets of a preheat', () => {
  void it('are the seeds in ring order, one after another, for a single seed', () => {
    const [list, ...more] = ids(select({ scope: 'single_seed_peer' }));
    assert.equal(more.length, 0);
    assert.deepEqual(list?.toSorted(), ['host-0', 'host-1', 'host-2']);
    assert.deepEqual(ids(select({ scope: '' })), [list]);
    const firsts = new Set(Array.from({ length: 50 }, (_, task) => ids(select({ scope: '' }, `task-${task}`))[0]?.[0]));
    assert.equal(firsts.size, 3, 'tasks are spread over the seeds');
  });

  void it('are each host by itself for the wider scopes', () => {
    assert.deepEqual(ids(select({ scope: 'all_seed_peers' })), [['host-0'], ['host-1'], ['host-2']]);
    assert.equal(select({}).length, 10);
  });

  void it('are cut down by addresses, else by count, else by percentage', () => {
    assert.deepEqual(ids(select({ ips: ['10.0.0.7'], count: 5, percentage: 100 })), [['host-7']]);
    assert.equal(select({ count: 5, percentage: 100 }).length, 5);
    assert.equal(select({ percentage: 39 }).length, 3);
    assert.equal(select({ percentage: 1 }).length, 1);
    assert.equal(select({ count: 200 }).length, 10);
  });

  void it('are an error when nobody is left', () => {
    assert.throws(() => select({ ips: ['192.0.2.1'] }), { code: 'FAILED_PRECONDITION' });
    assert.throws(() => preheatTargets('a', hosts.slice(5), { scope: 'all_seed_peers', ips: [] }, Math.random), {
      code: 'FAILED_PRECONDITION',
    });
  });
});
