/** A client with hf_xet, whose files come in chunks: what two revisions share is fetched once, by each node and by all of them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import type { Daemon } from '../../support/local-swarm.ts';
import { pythonEnvironment, pythonMissing } from '../../support/python-environment.ts';
import { startCertifiedSwarm, type CertifiedSwarm } from '../support/certified-swarm.ts';
import { startXetHub, xetFile, type XetHub } from '../support/xet-hub.ts';

const execute = promisify(execFile);
const MiB = 2 ** 20;
const modelBytes = Number(process.env['DRAGONFLY_XET_MIB'] ?? 200) * MiB;
/** Two of a hundred bytes, in one place. */
const changedBytes = Math.floor(modelBytes / 50);
const here = import.meta.dirname;

interface Loaded {
  readonly files?: Readonly<Record<string, string>>;
  readonly error?: string;
}

void describe('clients with hf_xet', { skip: pythonMissing }, () => {
  const owned = new AsyncDisposableStack();
  let certified: CertifiedSwarm;
  let python: string;
  /** Of a generation that asks about each file by HEAD. */
  let older: string;
  let hub: XetHub;
  const nodes: Daemon[] = [];
  before(async () => {
    const first = modelOf(modelBytes);
    const second = Buffer.from(first);
    randomFillSync(second, Math.floor(modelBytes / 3), changedBytes);
    hub = owned.use(
      await startXetHub(
        new Map([
          ['main', first],
          ['next', second],
          ['small', modelOf(3 * MiB)],
          ['late', modelOf(2 * MiB)],
        ]),
      ),
    );
    certified = owned.use(await startCertifiedSwarm());
    const { directory } = certified.swarm;
    python = await pythonEnvironment(directory.join('python'), ['huggingface_hub', 'hf_xet']);
    older = await pythonEnvironment(directory.join('older'), ['huggingface_hub[hf_xet]<1']);
    for (const [name, revision] of hub.revisions) revision.xetHash = await upload(name, revision.content);
    for (const name of ['one', 'two', 'three']) nodes.push(await startNode(name));
  });
  after(() => owned.disposeAsync());

  const startNode = (name: string): Promise<Daemon> => {
    const door = `{endpoint: "${hub.url}", xet: native, shareAnswers: true}`;
    return certified.startDaemon(name, { seed: name === 'one', yaml: `doors: {huggingface: ${door}}` });
  };

  async function upload(name: string, content: Buffer): Promise<string> {
    const directory = certified.swarm.directory.join(`upload-${name}`);
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, xetFile), content);
    const script = [join(here, 'xet-upload.py'), hub.storeUrl, 'cas-writer', join(directory, xetFile)];
    const env = { ...process.env, HF_HOME: certified.swarm.directory.join('writer') };
    const { stdout } = await execute(python, script, { env, timeout: 120_000 });
    const [hash = ''] = JSON.parse(stdout) as string[];
    return hash;
  }

  let loads = 0;
  async function load(
    node: Daemon,
    revision: string,
    more: Record<string, string> = {},
    program = python,
  ): Promise<Loaded> {
    const cache = certified.swarm.directory.join(`cache-${(loads += 1)}`);
    const env = {
      ...process.env,
      HF_ENDPOINT: `http://${node.service.addresses['proxy']}/hf`,
      HF_HOME: cache,
      HF_HUB_DISABLE_TELEMETRY: '1',
      HF_HUB_DISABLE_PROGRESS_BARS: '1',
      ...more,
    };
    const script = [join(here, 'hub-snapshot.py'), 'org/model', cache, revision];
    const { stdout } = await execute(program, script, { env, timeout: 300_000 });
    return JSON.parse(stdout) as Loaded;
  }

  /** What lies on the disk of a node. */
  function storedBytes({ name }: Daemon): number {
    const content = certified.swarm.directory.join(name, 'data', 'content');
    const entries = readdirSync(content, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return entries.reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
  }

  function requireRight({ files, error }: Loaded, revision: string): void {
    assert.deepEqual(files, { [xetFile]: hub.revisions.get(revision)?.sha256 }, error);
  }

  void it('the first revision: one copy for three nodes, in chunks', async (context) => {
    const loaded = await Promise.all(nodes.map((node) => load(node, 'main')));
    for (const each of loaded) requireRight(each, 'main');
    const copies = hub.store.givenBytes / modelBytes;
    context.diagnostic(`${copies.toFixed(3)} of its length left the origin`);
    assert.ok(copies < 1.01, `${copies}`);
    assert.equal(hub.wholes, 0);
  });

  void it('the second revision: what is new in it, from the origin and to each node', async (context) => {
    const before = hub.store.givenBytes;
    const stored = nodes.map(storedBytes);
    const loaded = await Promise.all(nodes.map((node) => load(node, 'next')));
    for (const each of loaded) requireRight(each, 'next');
    const share = (hub.store.givenBytes - before) / changedBytes;
    context.diagnostic(`${share.toFixed(3)} of what has changed left the origin`);
    assert.ok(share > 0 && share < 1.1, `${share}`);
    for (const [index, node] of nodes.entries()) {
      const came = (storedBytes(node) - (stored[index] ?? 0)) / changedBytes;
      context.diagnostic(`${node.name}: ${came.toFixed(3)}`);
      assert.ok(came < 1.1, `${node.name} ${came}`);
    }
  });

  void it('a client of an older generation is told of chunks by HEAD, and costs the origin nothing more', async () => {
    const before = hub.store.givenBytes;
    for (const node of nodes) requireRight(await load(node, 'main', {}, older), 'main');
    assert.equal(hub.store.givenBytes, before);
    assert.equal(hub.wholes, 0);
  });

  void it('a node that comes later has the second revision from the others', async () => {
    const before = hub.store.givenBytes;
    nodes.push(await startNode('four'));
    const [late] = nodes.slice(-1);
    assert.ok(late);
    requireRight(await load(late, 'next'), 'next');
    // A run that lies in one several times as long is asked of the origin: bringing the long one would cost the node more.
    assert.ok(hub.store.givenBytes - before < changedBytes, `${hub.store.givenBytes - before}`);
  });

  void it('chunks that are not those of the file are not kept, and the client is told; then it has the right ones', async () => {
    const [node] = nodes;
    assert.ok(node);
    hub.store.lies = true;
    const { error = '' } = await load(node, 'small');
    assert.match(error, /409/);
    hub.store.lies = false;
    requireRight(await load(node, 'small'), 'small');
  });

  void it('addresses that have become too old are asked for anew', async () => {
    const [, node] = nodes;
    assert.ok(node);
    hub.store.expires = 1;
    requireRight(await load(node, 'late'), 'late');
    assert.equal(hub.store.expires, 0);
  });

  void it('each caller asks for himself; a wrong token gets what the hub says', async () => {
    const before = hub.store.asked.length;
    const [node] = nodes;
    assert.ok(node);
    const { error = '' } = await load(node, 'main', { HF_TOKEN: 'hf_wrong' });
    assert.match(error, /401/);
    assert.equal(hub.store.asked.length, before);
    requireRight(await load(node, 'main', { HF_TOKEN: 'hf_member' }), 'main');
    assert.deepEqual(hub.store.asked.slice(before), ['cas-member']);
  });

  void it('a node that was started anew goes on with what lies on its disk', async () => {
    await certified.swarm.stopDaemon('two');
    {
      // Whether everybody may have a file is not known: what it is made of is for nobody who has not asked for it.
      using rows = new Rows(certified.swarm.directory.join('two', 'data', 'metadata.sqlite'));
      assert.deepEqual(rows.restricted, [1]);
    }
    const again = await startNode('two');
    nodes[1] = again;
    const before = hub.store.givenBytes;
    requireRight(await load(again, 'next'), 'next');
    assert.equal(hub.store.givenBytes, before);
  });

  void it('without the hub, what was loaded still loads; who was never given it gets nothing', async () => {
    await hub[Symbol.asyncDispose]();
    for (const node of nodes) requireRight(await load(node, 'next'), 'next');
    const late = await startNode('late');
    requireRight(await load(late, 'main'), 'main');
    const { error = '' } = await load(late, 'main', { HF_TOKEN: 'hf_stranger' });
    assert.notEqual(error, '');
  });
});

/** What is known of stored tasks. */
class Rows implements Disposable {
  readonly #database: DatabaseSync;

  constructor(path: string) {
    this.#database = new DatabaseSync(path, { readOnly: true });
  }

  get restricted(): unknown[] {
    return this.#database
      .prepare('SELECT DISTINCT restricted FROM task')
      .all()
      .map(({ restricted }) => restricted);
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}

/** Half of it noise, half of it numbers as weights are, which chunks are compressed for. */
function modelOf(lengthBytes: number): Buffer {
  const model = randomFillSync(Buffer.alloc(lengthBytes));
  const tail = model.subarray(Math.floor(lengthBytes / 2));
  for (let at = 3; at < tail.length; at += 4) tail[at] = 0x3f;
  for (let at = 2; at < tail.length; at += 4) tail[at] = (at / 4) & 0x0f;
  return model;
}
