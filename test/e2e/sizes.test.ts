// needs: nginx
import { after, before, describe, test } from 'node:test';
import { assertOriginAskedOnce, assertSameBytes, TestCluster } from '../support/test-cluster.ts';

const mebibyte = 2 ** 20;
const sizes = [0, 1, 4 * mebibyte - 1, 4 * mebibyte, 4 * mebibyte + 1, 200 * mebibyte];

describe('every size reaches every node with one copy from the origin', () => {
  let system: TestCluster;
  before(async () => {
    system = await TestCluster.start({ peers: 3 });
  });
  after(() => system[Symbol.asyncDispose]());

  for (const size of sizes) {
    test(`${size} bytes`, async () => {
      const file = await system.file(`${size}.bin`, size);
      const results = await system.downloadAll(system.cluster.daemons, file.url);
      assertSameBytes(results, file);
      assertOriginAskedOnce(await system.settledRequests(file), file);
    });
  }

  for (const place of ['norange', 'chunked', 'redirect']) {
    test(`9 MiB from an origin that answers with /${place}/`, async () => {
      const file = await system.file(`${place}.bin`, 9 * mebibyte);
      const url = `${system.origin.url}/${place}/${place}.bin`;
      assertSameBytes(await system.downloadAll(system.cluster.daemons, url), file);
    });
  }
});
