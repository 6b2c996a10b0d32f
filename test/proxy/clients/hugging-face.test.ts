import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { explainHubFile } from '../../../src/cli/doctor/hub-url.ts';
import { parseConfig } from '../../../src/core/config/config.ts';
import { dfdaemonConfigSchema } from '../../../src/dfdaemon/config.ts';
import { LocalSwarm, type Daemon } from '../../support/local-swarm.ts';
import { memberToken, startModelHub, type ModelHub } from '../support/model-hub.ts';
import { ask, isProbe, type Answer, type Ask } from '../support/proxy-fixture.ts';

void describe('the door for Hugging Face clients', () => {
  let hub: ModelHub;
  let swarm: LocalSwarm;
  const nodes: Daemon[] = [];
  before(async () => {
    hub = await startModelHub();
    swarm = await LocalSwarm.create();
    await swarm.startScheduler();
    const yaml = `doors: {huggingface: {endpoint: "${hub.hub.url}"}}`;
    for (const name of ['one', 'two', 'three']) nodes.push(await swarm.startDaemon(name, { yaml }));
  });
  after(async () => {
    await swarm[Symbol.asyncDispose]();
    await hub[Symbol.asyncDispose]();
  });

  const at = (node: number, path: string, options: Ask = {}): Promise<Answer> => {
    const port = Number(nodes[node]?.service.addresses['proxy']?.split(':').at(-1));
    return ask({ port }, `/hf${path}`, {
      ...options,
      headers: { host: `127.0.0.1:${port}`, ...options.headers },
    });
  };
  const model = '/org/open/resolve/main/model.safetensors';
  const gated = '/org/gated/resolve/main/model.safetensors';
  const member = { headers: { authorization: memberToken } };

  it('tells of trees without the way around it, and leads their pages through itself', async () => {
    const first = await at(0, '/api/models/org/open/tree/main?recursive=true');
    assert.equal(first.status, 200);
    const [entry] = JSON.parse(first.body.toString()) as [Record<string, unknown>];
    assert.equal(entry['xetHash'], undefined);
    assert.deepEqual(entry['lfs'], { oid: hub.sha256, size: hub.model.length, pointerSize: 134 });
    const next = /^<http:\/\/127\.0\.0\.1:\d+\/hf(\/[^>]+)>; rel="next"$/.exec(String(first.headers.link))?.[1] ?? '';
    const second = await at(0, next);
    assert.match(second.body.toString(), /config\.json/);
  });

  it('describes a large file as the hub does, without a redirect', async () => {
    const { status, headers } = await at(0, model, { method: 'HEAD' });
    assert.equal(status, 200);
    assert.equal(headers['x-repo-commit'], hub.commit);
    assert.equal(headers['x-linked-etag'], `"${hub.sha256}"`);
    assert.equal(headers['content-length'], String(hub.model.length));
    for (const name of ['location', 'link', 'x-xet-hash']) assert.equal(headers[name], undefined, name);
  });

  it('three nodes at once cost the store one copy, by branch and by commit', async () => {
    const answers = await Promise.all(
      [0, 1, 2].map((node) => at(node, model.replace('main', node === 2 ? hub.commit : 'main'))),
    );
    for (const { status, body } of answers) {
      assert.equal(status, 200);
      assert.ok(body.equals(hub.model));
    }
    const bodies = hub.store.seen.filter(({ headers }) => !isProbe(headers.range));
    assert.equal(bodies.length, 1);
    const part = await at(1, model, { headers: { range: 'bytes=9000000-' } });
    assert.equal(part.status, 206);
    assert.ok(part.body.equals(hub.model.subarray(9_000_000)));
    assert.equal(hub.store.seen.filter(({ headers }) => !isProbe(headers.range)).length, 1);
  });

  it('one caller’s part, condition or page is no other request’s answer', async () => {
    const raw = '/org/open/raw/main/config.json';
    const { headers } = await ask({ port: Number(new URL(hub.hub.url).port) }, raw);
    const asked: Record<string, string>[] = [
      { range: 'bytes=0-3' },
      {},
      { 'if-none-match': String(headers.etag) },
      { accept: 'text/html,*/*' },
      { accept: 'application/json' },
    ];
    const answers = await Promise.all(asked.map((header) => at(0, raw, { headers: header })));
    const bodies = answers.map(({ status, body }) => `${status} ${body.toString()}`);
    const whole = `200 ${hub.config.toString()}`;
    assert.deepEqual(bodies, [whole, whole, whole, '200 <pre>', whole]);
  });

  it('gives small files as the hub has them', async () => {
    const { status, body } = await at(2, '/org/open/resolve/main/config.json');
    assert.equal(status, 200);
    assert.ok(body.equals(hub.config));
    const missing = await at(2, '/org/open/resolve/main/none.json', { method: 'HEAD' });
    assert.equal(missing.status, 404);
    assert.equal(missing.headers['x-error-code'], 'EntryNotFound');
  });

  it('gives what all hold to members alone, and the hub’s own words to others', async () => {
    const bodies = hub.store.seen.length;
    for (const headers of [{}, { authorization: 'Bearer hf_stranger' }]) {
      for (const method of ['GET', 'HEAD']) {
        const refused = await at(0, gated, { method, headers });
        assert.equal(refused.status, 401);
        assert.equal(refused.headers['x-error-code'], 'GatedRepo');
      }
    }
    const given = await at(0, gated, member);
    assert.equal(given.status, 200);
    assert.ok(given.body.equals(hub.model));
    assert.equal(hub.store.seen.length, bodies, 'the content was here under its own name');
  });

  it('doctor tells what the hub calls a file, which task that is, and who may not have it', async () => {
    const proxy = nodes[0]?.service.addresses['proxy'] ?? '';
    const huggingface = { endpoint: hub.hub.url };
    const text = JSON.stringify({
      proxy: { tcpListen: { port: Number(proxy.split(':').at(-1)) } },
      doors: { huggingface },
    });
    const { config } = parseConfig(dfdaemonConfigSchema, text, 'dfget.yaml');
    const { signal } = new AbortController();
    const explain = (url: string, env: Record<string, string> = {}) => explainHubFile({ url, config, env, signal });
    const answer = await at(0, model);
    for (const url of ['hf://org/open/model.safetensors', `${hub.hub.url}${model}`, `http://${proxy}/hf${model}`]) {
      const explained = await explain(url, { HF_ENDPOINT: `http://${proxy}/hf` });
      assert.equal(explained?.taskId, answer.headers['x-dragonfly-task-id'], url);
      assert.deepEqual(new Set(explained?.findings.map(({ state }) => state)), new Set(['ok']));
    }
    const refused = await explain('hf://org/gated/model.safetensors');
    assert.match(refused?.findings.at(-1)?.text ?? '', /401 \(GatedRepo\)/);
    const token = memberToken.replace('Bearer ', '');
    assert.ok((await explain('hf://org/gated/model.safetensors', { HF_TOKEN: token }))?.taskId);
    assert.equal(await explain('https://example.com/file'), undefined);
  });

  it('small files are what git calls them, from whichever node; the hub gives each once', async () => {
    const asked = () =>
      hub.hub.seen.filter(({ method, url }) => method === 'GET' && url.endsWith('/config.json')).length;
    const before = asked();
    for (const node of [0, 1, 2]) {
      const { status, body, headers } = await at(node, '/org/open/resolve/main/config.json');
      assert.equal(status, 200);
      assert.ok(body.equals(hub.config));
      assert.ok(headers['x-dragonfly-task-id']);
    }
    assert.ok(asked() <= before + 1);
  });

  it('files that a list has named are not asked about one by one, but where the repository asks for permission', async () => {
    const heads = () => hub.hub.seen.filter(({ method }) => method === 'HEAD').length;
    const cold = { authorization: 'Bearer hf_of_somebody_new' };
    const path = `/org/open/resolve/${hub.commit}/model.safetensors`;
    await at(1, '/api/models/org/open/revision/main', { headers: cold });
    await at(1, `/api/models/org/open/tree/${hub.commit}?recursive=true`, { headers: cold });
    const before = heads();
    const { headers } = await at(1, path, { method: 'HEAD', headers: cold });
    assert.equal(headers['x-linked-etag'], `"${hub.sha256}"`);
    assert.equal(headers['x-linked-size'], String(hub.model.length));
    assert.equal(headers['x-repo-commit'], hub.commit);
    assert.ok((await at(1, path, { headers: cold })).body.equals(hub.model));
    assert.equal(heads(), before);
    // Its list is shown to everybody.
    assert.equal((await at(1, '/api/models/org/gated/revision/main', { headers: cold })).status, 200);
    assert.equal((await at(1, `/api/models/org/gated/tree/${hub.commit}`, { headers: cold })).status, 200);
    for (const method of ['HEAD', 'GET'])
      assert.equal((await at(1, path.replace('open', 'gated'), { method, headers: cold })).status, 401);
  });

  it('a hub that refuses all: members go on with what they were told before, strangers are refused', async () => {
    hub.refuses = true;
    try {
      assert.ok((await at(0, gated, member)).body.equals(hub.model));
      assert.ok((await at(1, model)).body.equals(hub.model));
      assert.equal((await at(0, '/api/models/org/open/tree/main?recursive=true')).status, 200);
      const refused = await at(0, gated);
      assert.equal(refused.status, 429);
      assert.equal(refused.headers['retry-after'], '7');
    } finally {
      hub.refuses = false;
    }
  });
});
