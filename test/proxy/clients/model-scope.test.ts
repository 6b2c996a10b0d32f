/** The client of ModelScope at the daemon's door, on two nodes. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { pythonEnvironment, pythonMissing } from '../../support/python-environment.ts';
import { modelScopeToken, startModelScopeHub, type ModelScopeHub } from '../support/model-scope-hub.ts';
import { ask, isProbe } from '../support/proxy-fixture.ts';

const execute = promisify(execFile);
const clientTimeoutMs = 300_000;
const script = join(import.meta.dirname, 'model-scope.py');

void describe('the door for ModelScope', () => {
  const owned = new AsyncDisposableStack();
  const nodes: Daemon[] = [];
  let hub: ModelScopeHub;
  let swarm: LocalSwarm;
  before(async () => {
    hub = owned.use(await startModelScopeHub());
    swarm = owned.use(await LocalSwarm.create());
    await swarm.startScheduler();
    const yaml = `doors: {modelscope: {endpoint: "${hub.hub.url}"}}`;
    for (const name of ['one', 'two']) nodes.push(await swarm.startDaemon(name, { yaml }));
  });
  after(() => owned.disposeAsync());

  const proxyOf = (node: number): string => nodes[node]?.service.addresses['proxy'] ?? '';
  const at = (node: number, repository: string, headers: Record<string, string> = {}) => {
    const port = Number(proxyOf(node).split(':').at(-1));
    const path = `/ms/api/v1/models/org/${repository}/repo?Revision=master&FilePath=model.bin`;
    return ask({ port }, path, { headers: { host: proxyOf(node), ...headers } });
  };
  const model = (): Buffer => hub.files.get('model.bin') ?? Buffer.alloc(0);
  const bodies = () =>
    hub.store.seen.filter(({ url, headers }) => url.includes('model.bin') && !isProbe(headers.range));

  void it('the real client loads in ranges, on two nodes at once, for one copy', { skip: pythonMissing }, async () => {
    const python = await pythonEnvironment(swarm.directory.join('python'), ['modelscope-hub']);
    const load = async (node: number): Promise<unknown> => {
      const env = {
        ...process.env,
        HOME: swarm.directory.join(`home-${node}`),
        MODELSCOPE_ENDPOINT: `http://${proxyOf(node)}/ms`,
        MODELSCOPE_DOWNLOAD_PARALLELS: '4',
        MODELSCOPE_PARALLEL_DOWNLOAD_THRESHOLD_MB: '1',
      };
      const directory = swarm.directory.join(`loaded-${node}`);
      const { stdout } = await execute(python, [script, 'org/open', directory], { env, timeout: clientTimeoutMs });
      return JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
    };
    const expected = [...hub.files].map(([path, content]) => [
      path,
      createHash('sha256').update(content).digest('hex'),
    ]);
    for (const loaded of await Promise.all([load(0), load(1)]))
      assert.deepEqual(loaded, { files: Object.fromEntries(expected) });
    const given = bodies().reduce((sum, { headers }) => {
      const [, first = '0', last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
      return sum + (last ? Math.min(Number(last) + 1, model().length) : model().length) - Number(first);
    }, 0);
    assert.ok(given <= model().length, `${given} bytes for one copy of ${model().length}`);
  });

  void it('gives a part, and what is known by its digest to members alone', async () => {
    assert.ok((await at(0, 'open')).body.equals(model()));
    const before = bodies().length;
    const part = await at(1, 'open', { range: 'bytes=100-199' });
    assert.equal(part.status, 206);
    assert.ok(part.body.equals(model().subarray(100, 200)));
    const refused = await at(0, 'gated');
    assert.equal(refused.status, 403);
    assert.match(refused.body.toString(), /apply for access first/);
    const given = await at(0, 'gated', { authorization: `Bearer ${modelScopeToken}` });
    assert.ok(given.body.equals(model()));
    assert.equal(bodies().length, before, 'the content was here under its own name');
  });

  void it('is the same file as its own page links it, and in a dataset', async () => {
    const before = bodies().length;
    const port = Number(proxyOf(1).split(':').at(-1));
    const get = (path: string) => ask({ port }, `/ms${path}`);
    assert.ok((await get('/models/org/open/resolve/master/model.bin')).body.equals(model()));
    const path = '/api/v1/datasets/org/set/repo?Revision=master&FilePath=model.bin';
    assert.ok((await get(path)).body.equals(model()));
    assert.equal(bodies().length, before, 'the content was here under its own name');
    assert.equal((await get('/models/org/gated/resolve/master/model.bin')).status, 403);
  });

  void it('without the hub, who was given it before is given it again', async () => {
    const member = { authorization: `Bearer ${modelScopeToken}` };
    await hub.hub[Symbol.asyncDispose]();
    assert.ok((await at(0, 'gated', member)).body.equals(model()));
    assert.equal((await at(0, 'gated', { authorization: 'Bearer another' })).status, 502);
  });
});
