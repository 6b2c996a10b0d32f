/**
 * Eight clients of Hugging Face on eight nodes at once, of each generation there is, at a hub that refuses whoever asks too much:
 * one copy, each question once for the whole cluster; and without the hub, the same snapshot on a node that never asked.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Daemon } from '../../support/local-swarm.ts';
import { pythonEnvironment, pythonMissing } from '../../support/python-environment.ts';
import { startCertifiedSwarm, type CertifiedSwarm } from '../support/certified-swarm.ts';
import { largeFile, startThrottledHub, type ThrottledHub } from '../support/throttled-hub.ts';

const execute = promisify(execFile);
const clientTimeoutMs = 300_000;
const nodeCount = 8;
const script = join(import.meta.dirname, 'hub-snapshot.py');
/** What is asked of the package index, by the repository that its clients load. */
const generations = new Map([
  ['org/first', 'huggingface_hub[hf_xet]<1'],
  ['org/second', 'huggingface_hub<2'],
  ['org/third', 'huggingface_hub'],
  ['org/plain', 'huggingface_hub'],
]);

interface Loaded {
  readonly version?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly error?: string;
}

void describe('clients of Hugging Face on eight nodes', { skip: pythonMissing }, () => {
  const owned = new AsyncDisposableStack();
  const pythons = new Map<string, string>();
  const nodes: Daemon[] = [];
  let certified: CertifiedSwarm;
  let hub: ThrottledHub;
  before(async () => {
    hub = owned.use(await startThrottledHub([...generations.keys()], 100));
    certified = owned.use(await startCertifiedSwarm());
    const { directory } = certified.swarm;
    const packages = [...new Set(generations.values())];
    for (const [index, name] of packages.entries())
      pythons.set(name, await pythonEnvironment(directory.join(`python-${index}`), [name]));
    nodes.push(await startNode('seed', true));
    for (let number = 1; number < nodeCount; number += 1) nodes.push(await startNode(`node-${number}`));
  });
  after(() => owned.disposeAsync());

  const startNode = (name: string, seed = false): Promise<Daemon> =>
    certified.startDaemon(name, { seed, yaml: `doors: {huggingface: {endpoint: "${hub.url}", shareAnswers: true}}` });

  async function load(node: Daemon, repository: string, more: Record<string, string> = {}): Promise<Loaded> {
    const python = pythons.get(generations.get(repository) ?? '') ?? '';
    const cache = certified.swarm.directory.join(`cache-${node.name}-${Object.keys(more).length}`);
    const env = {
      ...process.env,
      HF_ENDPOINT: `http://${node.service.addresses['proxy']}/hf`,
      HF_HOME: cache,
      HF_HUB_DISABLE_TELEMETRY: '1',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      HF_HUB_DISABLE_XET: repository === 'org/plain' ? '1' : '0',
      ...more,
    };
    const { stdout } = await execute(python, [script, repository, cache], { env, timeout: clientTimeoutMs });
    return JSON.parse(stdout) as Loaded;
  }

  function requireWhole({ files, error }: Loaded, repository: string): void {
    const contents = hub.repositories.get(repository)?.files ?? new Map<string, Buffer>();
    const expected = [...contents].map(([path, content]) => [path, createHash('sha256').update(content).digest('hex')]);
    assert.deepEqual(files, Object.fromEntries(expected), error);
  }

  for (const [repository, wanted] of generations) {
    void it(`${wanted}${repository === 'org/plain' ? ' without Xet' : ''}: one copy, each question once`, async (context) => {
      const loaded = await Promise.all(nodes.map((node) => load(node, repository)));
      for (const each of loaded) requireWhole(each, repository);
      const length = hub.repositories.get(repository)?.files.get(largeFile)?.length ?? 0;
      const copies = (hub.given.get(repository) ?? 0) / length;
      const asked = [...hub.questions].filter(([question]) => question.includes(repository));
      context.diagnostic(`${loaded[0]?.version}: ${copies.toFixed(3)} copies, ${asked.length} questions`);
      context.diagnostic(asked.map(([question, count]) => `${count} ${question}`).join('\n'));
      assert.ok(copies < 1.01, `${copies} copies`);
      for (const [question, count] of asked) assert.equal(count, 1, question);
    });
  }

  void it('a wrong token gets what the hub says about it', async () => {
    const [node] = nodes;
    assert.ok(node);
    const { error = '' } = await load(node, 'org/third', { HF_TOKEN: 'hf_wrong' });
    assert.match(error, /401|Invalid credentials/);
  });

  void it('without the hub, a node that never asked loads the same by the name of the branch', async () => {
    assert.equal(hub.refused.count, 0);
    await hub[Symbol.asyncDispose]();
    const late = await startNode('late');
    requireWhole(await load(late, 'org/third'), 'org/third');
    requireWhole(await load(late, 'org/first'), 'org/first');
  });
});
