import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publisherAt } from './release-rpc.ts';

test('a publisher is a user of the node that publishes, whatever it says', () => {
  const cases: [told: string, is: string][] = [
    ['0@10.0.0.1-node', '0@10.0.0.1-node'],
    ['root@10.0.0.2-other', 'root@10.0.0.1-node'],
    ['', '@10.0.0.1-node'],
    ['x'.repeat(600), `${'x'.repeat(512 - 14)}@10.0.0.1-node`],
  ];
  for (const [told, is] of cases) assert.equal(publisherAt('10.0.0.1-node', told), is);
  assert.equal(publisherAt('', 'somebody'), 'somebody');
});
