/** A repository in the cache of Hugging Face clients: they find it there, and it lies on the disk once. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { pythonEnvironment, pythonMissing } from '../../support/python-environment.ts';
import { largeFile, startThrottledHub, type ThrottledHub } from '../support/throttled-hub.ts';

const execute = promisify(execFile);
const here = import.meta.dirname;
const dragonfly = join(here, '../../../bin/dragonfly');
const name = 'org/model';
const mostCopies = 1.02;
const modelBytes = Number(process.env['DRAGONFLY_MODEL_MIB'] ?? 6) * 2 ** 20 + 321;

void describe('dragonfly hub-cache', { skip: pythonMissing }, () => {
  const owned = new AsyncDisposableStack();
  let hub: ThrottledHub;
  let swarm: LocalSwarm;
  let node: Daemon;
  let python: string;
  let cache: string;
  before(async () => {
    hub = owned.use(await startThrottledHub([name], 1000, modelBytes));
    swarm = owned.use(await LocalSwarm.create());
    await swarm.startScheduler();
    node = await swarm.startDaemon('node', { yaml: `doors: {huggingface: {endpoint: "${hub.url}"}}` });
    cache = swarm.directory.join('cache');
    python = await pythonEnvironment(swarm.directory.join('python'), ['huggingface_hub']);
  });
  after(() => owned.disposeAsync());

  async function fill(more: Record<string, string> = {}): Promise<string> {
    const door = `http://${node.service.addresses['proxy']}/hf`;
    const flags = ['hub-cache', name, '--cache-dir', cache, '--door', door, '--endpoint', node.socket];
    const { stdout } = await execute(dragonfly, flags, { env: { ...process.env, ...more }, timeout: 60_000 });
    return stdout.trim();
  }

  async function load(): Promise<unknown> {
    const env = { ...process.env, HF_HUB_OFFLINE: '1', HF_HOME: cache };
    const { stdout } = await execute(python, [join(here, 'hub-snapshot.py'), name, cache], { env, timeout: 60_000 });
    return (JSON.parse(stdout) as { files?: unknown }).files ?? stdout;
  }

  const files = (): ReadonlyMap<string, Buffer> => hub.repositories.get(name)?.files ?? new Map<string, Buffer>();
  const digests = (): unknown =>
    Object.fromEntries([...files()].map(([path, of]) => [path, createHash('sha256').update(of).digest('hex')]));

  void it('their clients find all files there without a hub', async () => {
    const snapshot = await fill();
    assert.equal(snapshot, join(cache, 'models--org--model', 'snapshots', hub.repositories.get(name)?.commit ?? ''));
    assert.deepEqual(await load(), digests());
  });

  void it('the model lies on the disk once, in the store of the daemon and in the cache', async (context) => {
    const content = swarm.directory.join('node', 'data', 'content');
    const { stdout } = await execute('du', ['--summarize', '--block-size=1', '--total', content, cache]);
    const total = Number(/(\d+)\ttotal/.exec(stdout)?.[1]);
    const whole = [...files().values()].reduce((sum, { length }) => sum + length, 0);
    // Directories and last blocks of small files are no part of the model.
    const rest = 64 * 4096;
    context.diagnostic(`${(total / whole).toFixed(4)} of its length`);
    assert.ok(total < mostCopies * whole + rest, `${total} bytes for ${whole}`);
  });

  void it('what is there already is not fetched again; what has been changed is', async () => {
    const bodies = () => hub.given.get(name);
    const before = bodies();
    await fill();
    assert.equal(bodies(), before);
    const sha256 = createHash('sha256')
      .update(files().get(largeFile) ?? '')
      .digest('hex');
    const blob = join(cache, 'models--org--model', 'blobs', sha256);
    await rm(blob);
    await appendFile(blob, 'not that');
    await fill();
    assert.deepEqual(await load(), digests());
    assert.equal(bodies(), before, 'the daemon had it');
  });

  void it('a hub that refuses the caller is heard, and nothing stays behind', async () => {
    await rm(cache, { recursive: true });
    await assert.rejects(fill({ HF_TOKEN: 'hf_wrong' }), /401/);
    assert.deepEqual(await readdir(swarm.directory.path).then((names) => names.includes('cache')), false);
    const snapshot = await fill();
    assert.deepEqual(await readFile(join(snapshot, 'config.json')), files().get('config.json'));
  });
});
