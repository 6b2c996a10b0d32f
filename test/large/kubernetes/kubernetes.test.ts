/**
 * Controllers with the rights that the chart gives them, against a real API server: README.md beside this tells how to build it.
 * What it does otherwise than the one in test/cli/kubernetes-api.ts is a mistake of that one.
 */
// needs: named
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { Controller } from '../../../src/cli/operator/controller.ts';
import { Preheater } from '../../../src/cli/preheater/controller.ts';
import { ZoneKeeper } from '../../../src/cli/private-zone/zone-keeper.ts';
import { createLogger } from '../../../src/core/process/logger.ts';
import { root } from '../../house/repository.ts';
import { BindServer } from '../../support/bind-server.ts';
import { waitFor } from '../../support/wait-for.ts';
import { KubernetesCluster } from './cluster.ts';

const programs = process.env['DRAGONFLY_KUBERNETES'];
const release = 'dragonfly-system';
const accounts = '/apis/dragonfly.d7y.io/v1alpha1/p2pmanagers';
const logger = createLogger('test', { level: 'warn' });
const patienceMs = 60_000;

interface Account {
  readonly metadata: { readonly generation: number; readonly finalizers: readonly string[] };
  readonly status?: {
    readonly version?: string;
    readonly ready: string;
    readonly observedGeneration: number;
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
}

function chart(...settings: readonly string[]): string {
  const args = ['template', 'dragonfly', join(root, 'deploy/chart'), '--namespace', release];
  return execFileSync(`${programs}/helm`, [...args, ...settings.flatMap((one) => ['--set-json', one])], {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
}

const only = (...parts: readonly string[]): string[] => [
  ...['client', 'manager', 'scheduler'].map((name) => `${name}.enable=${parts.includes(name)}`),
  ...parts.map((name) => `${name}.enable=true`),
];

const accountYaml = (name: string, spec: object): string =>
  JSON.stringify({ apiVersion: 'dragonfly.d7y.io/v1alpha1', kind: 'P2PManager', metadata: { name }, spec });

describe('with a real API server', { skip: !programs && 'DRAGONFLY_KUBERNETES names no directory' }, () => {
  let cluster: KubernetesCluster;
  before(async () => {
    cluster = await KubernetesCluster.start(programs ?? '');
    cluster.play();
    for (const index of [1, 2]) await cluster.addNode(`node-${index}`, { 'kubernetes.io/arch': 'amd64' });
    await cluster.kubectl(['create', 'namespace', release]);
  });
  after(() => cluster[Symbol.asyncDispose]());

  const account = async (name: string): Promise<Account> =>
    (await cluster.must('GET', `${accounts}/${name}`)).body as unknown as Account;
  const condition = async (name: string, type: string): Promise<string> => {
    const found = (await account(name)).status?.conditions.find((one) => one.type === type);
    return `${found?.status ?? ''} ${found?.reason ?? ''}`;
  };
  const reaches = (name: string, type: string, expected: string): Promise<unknown> =>
    waitFor(
      `${type} ${expected} of ${name}`,
      async () => {
        const is = await condition(name, type);
        if (is === expected) return true;
        throw new Error(JSON.stringify((await account(name)).status));
      },
      patienceMs,
    );
  const runs = (name: string, version: string): Promise<unknown> =>
    waitFor(
      `${version} of ${name}`,
      async () => {
        const { status } = await account(name);
        if (status?.version === version) return true;
        throw new Error(JSON.stringify(status) + (await cluster.kubectl(['get', 'pods,sts', '-A', '-o', 'wide'])));
      },
      patienceMs,
    );
  const imageOf = async (name: string, component: string): Promise<string> => {
    const path = `/apis/apps/v1/namespaces/dragonfly-${name}/statefulsets/${component}`;
    return JSON.stringify((await cluster.must('GET', path)).body).match(/"image":"([^"]+)"/)?.[1] ?? '';
  };

  test('two accounts: made, put right, upgraded in order, refused, through a new API server, and deleted with all they had', async () => {
    await cluster.kubectl(['apply', '--server-side', '-f', '-'], chart(...only('operator')));
    await cluster.kubectl(['wait', '--for', 'condition=established', 'crd/p2pmanagers.dragonfly.d7y.io']);
    const api = await cluster.asServiceAccount(release, 'dragonfly-operator');
    const stop = new AbortController();
    const running = new Controller({ api, logger }).run(stop.signal);
    try {
      for (const name of ['acme', 'blue'])
        await cluster.kubectl(['apply', '-f', '-'], accountYaml(name, { version: 'v1' }));
      for (const name of ['acme', 'blue']) {
        await reaches(name, 'Ready', 'True AllReady');
        await reaches(name, 'Progressing', 'False Complete');
      }
      assert.deepEqual([(await account('acme')).status?.version, (await account('acme')).status?.ready], ['v1', '3/3']);
      assert.match(await cluster.kubectl(['get', 'p2pmanagers']), /acme +dragonfly-acme +v1 +3\/3 +True/);
      // What is right is not written again: the generation of nothing moves while the account is looked at.
      const generations = (): Promise<string> =>
        cluster.kubectl([
          'get',
          'statefulsets,services,networkpolicies,configmaps',
          '-n',
          'dragonfly-acme',
          '-o',
          'jsonpath={range .items[*]}{.kind}/{.metadata.name}={.metadata.resourceVersion} {end}',
        ]);
      const before = await generations();
      await cluster.patch(`${accounts}/acme`, { metadata: { annotations: { touched: 'yes' } } });
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      assert.equal(await generations(), before);

      // By hand: another selector, a config map that goes, another owner's field that stays.
      const service = '/api/v1/namespaces/dragonfly-acme/services/scheduler';
      await cluster.patch(service, { spec: { selector: { 'app.kubernetes.io/component': 'other' } } });
      await cluster.patch(service, { metadata: { annotations: { 'example.org/mine': 'yes' } } });
      await cluster.must('DELETE', '/api/v1/namespaces/dragonfly-acme/configmaps/manager');
      await waitFor('the selector', async () => {
        const text = JSON.stringify((await cluster.must('GET', service)).body);
        return text.includes('"app.kubernetes.io/component":"scheduler"') && text.includes('example.org/mine');
      });
      await waitFor(
        'the config map',
        async () => (await cluster.ask('GET', '/api/v1/namespaces/dragonfly-acme/configmaps/manager')).status === 200,
      );

      // Upgrade; then a version that does not come up, left behind by the next one.
      await cluster.patch(`${accounts}/acme`, { spec: { version: 'v2' } });
      await runs('acme', 'v2');
      assert.match(await imageOf('blue', 'manager'), /:v1$/);
      await cluster.patch(`${accounts}/acme`, { spec: { version: KubernetesCluster.badTag } });
      await reaches('acme', 'Ready', 'False NotReady');
      assert.match(await imageOf('acme', 'scheduler'), /:v2$/);
      await cluster.patch(`${accounts}/acme`, { spec: { version: 'v3' } });
      await runs('acme', 'v3');
      await reaches('acme', 'Ready', 'True AllReady');

      // A spec that its own definition refuses; a namespace that belongs to somebody else.
      await assert.rejects(
        () =>
          cluster.kubectl(['patch', 'p2pmanager/acme', '--type', 'merge', '-p', '{"spec":{"namespace":"elsewhere"}}']),
        /the namespace of an account stays the same/,
      );
      await cluster.kubectl(['create', 'namespace', 'theirs']);
      await cluster.kubectl(['apply', '-f', '-'], accountYaml('red', { namespace: 'theirs' }));
      await reaches('red', 'Reconciled', 'False NamespaceTaken');
      await cluster.kubectl(['delete', 'p2pmanager/red', '--timeout', '60s']);
      await cluster.kubectl(['get', 'namespace', 'theirs']);

      // The API server dies, comes again, and has forgotten what watches could go on from.
      await cluster.stopApiServer('SIGKILL');
      await cluster.compact();
      await cluster.startApiServer();
      await cluster.must('DELETE', '/api/v1/namespaces/dragonfly-blue/services/manager');
      await waitFor(
        'the service',
        async () => (await cluster.ask('GET', '/api/v1/namespaces/dragonfly-blue/services/manager')).status === 200,
        patienceMs,
      );

      // Another one writes the same moment.
      const other = 'example.org/other';
      await cluster.patch(`${accounts}/blue`, {
        metadata: { finalizers: [...(await account('blue')).metadata.finalizers, other] },
      });
      await cluster.kubectl(['delete', 'p2pmanager/blue', '--wait=false']);
      await waitFor(
        'the end of the namespace',
        async () => (await cluster.ask('GET', '/api/v1/namespaces/dragonfly-blue')).status === 404,
        patienceMs,
      );
      await waitFor('our finalizer', async () => (await account('blue')).metadata.finalizers.join() === other);
      await cluster.patch(`${accounts}/blue`, { metadata: { finalizers: [] } });
      await cluster.kubectl(['delete', 'p2pmanager/acme', '--timeout', '120s']);
      assert.doesNotMatch(await cluster.kubectl(['get', 'namespaces']), /dragonfly-(?:acme|blue)/);
      // Rights end where the chart says so.
      await assert.rejects(
        () =>
          cluster.kubectl([
            'get',
            'secrets',
            '--all-namespaces',
            `--as=system:serviceaccount:${release}:dragonfly-operator`,
          ]),
        /forbidden/i,
      );
    } finally {
      stop.abort();
      await running;
    }
  });

  test('private zone: pods come into the zone when they are ready, and go with them', async () => {
    await using bind = await BindServer.start('p2p.example.test');
    const listener = createServer((_request, response) => void response.end());
    listener.listen(0, '0.0.0.0');
    await once(listener, 'listening');
    const port = (listener.address() as AddressInfo).port;
    const manifest = readFileSync(join(root, 'deploy/manifests/private-zone.yaml'), 'utf8');
    const rights = parseAllDocuments(manifest).filter((document) => document.get('kind') !== 'Deployment');
    await cluster.kubectl(['apply', '-f', '-'], rights.map(String).join('---\n'));
    const api = await cluster.asServiceAccount(release, 'dragonfly-private-zone');
    const [keyName = '', secret = ''] = readFileSync(bind.keyPath, 'utf8').trim().split(' ');
    const name = 'c1.p2p.example.test';
    const stop = new AbortController();
    const keeper = new ZoneKeeper({
      api,
      dns: { host: '127.0.0.1', port: bind.port, key: { name: keyName, secret: Buffer.from(secret, 'base64') } },
      zone: 'p2p.example.test',
      name,
      namespace: release,
      networks: undefined,
      selector: 'app=zone',
      nodeSelector: { 'kubernetes.io/arch': 'amd64' },
      port,
      max: 2,
      ttlSeconds: 5,
      logger,
    });
    const running = keeper.run(stop.signal);
    const count = (expected: number): Promise<unknown> =>
      waitFor(`${expected} addresses`, async () => (await bind.addresses(name)).length === expected, patienceMs);
    try {
      const pod = (index: number): object => ({
        metadata: { name: `zone-${index}`, namespace: release, labels: { app: 'zone' } },
        spec: { containers: [{ name: 'main', image: 'demo:v1' }] },
      });
      for (const index of [1, 2, 3]) await cluster.must('POST', `/api/v1/namespaces/${release}/pods`, pod(index));
      await count(2);
      await cluster.stopApiServer('SIGKILL');
      await cluster.startApiServer();
      for (const index of [1, 2]) await cluster.must('DELETE', `/api/v1/namespaces/${release}/pods/zone-${index}`);
      await count(1);
      await cluster.must('DELETE', `/api/v1/namespaces/${release}/pods/zone-3`);
      await count(0);
    } finally {
      stop.abort();
      await running;
      listener.close();
    }
  });

  test('preheater: by the rights of the chart it sees what asks, and tells what came of it', async () => {
    // A manager that has every daemon hold everything.
    const asked: { ips: string[]; url: string; platform?: string }[] = [];
    const manager = createServer((request, response) => {
      if (request.url === '/oapi/v1/events') {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        return void response.write('event: reset\ndata: {}\n\n');
      }
      let text = '';
      request.on('data', (part: Buffer) => (text += part.toString()));
      request.on('end', () => {
        if (request.method === 'POST') asked.push((JSON.parse(text) as { args: (typeof asked)[number] }).args);
        const id = request.method === 'POST' ? asked.length : Number(request.url?.split('/').at(-1));
        const job = asked[id - 1];
        const units = job?.ips.map((ip) => ({ ip, url: job.url })) ?? [];
        const result = { job_states: [{ error: '', results: [{ success_tasks: units, failure_tasks: [] }] }] };
        response.end(JSON.stringify({ id, state: 'SUCCESS', result }));
      });
    });
    manager.listen(0, '127.0.0.1');
    await once(manager, 'listening');
    await cluster.kubectl(['create', 'secret', 'generic', 'preheater', '-n', release, '--from-literal=token=t']);
    await cluster.kubectl(
      ['apply', '--server-side', '-f', '-'],
      chart(...only('client', 'preheater'), 'externalManager=["10.0.0.1:65003"]', 'preheater.tokenSecret="preheater"'),
    );
    await cluster.kubectl(['wait', '--for', 'condition=established', 'crd/preheats.dragonfly.d7y.io']);
    const api = await cluster.asServiceAccount(release, 'dragonfly-preheater');
    writeFileSync(`${cluster.kubeconfigPath}.token`, 't');
    const start = (): { stop: AbortController; running: Promise<void> } => {
      const stop = new AbortController();
      const preheater = new Preheater({
        api,
        manager: {
          url: new URL(`http://127.0.0.1:${(manager.address() as AddressInfo).port}`),
          tokenFile: `${cluster.kubeconfigPath}.token`,
          clusterId: undefined,
          registryAuthFile: undefined,
        },
        daemons: { namespace: release, selector: 'app.kubernetes.io/component=client' },
        maxNodes: 100,
        logger,
      });
      return { stop, running: preheater.run(stop.signal) };
    };
    let one = start();
    try {
      await cluster.kubectl(['create', 'namespace', 'shop']);
      await cluster.kubectl(['label', 'namespace', 'shop', 'dragonfly.d7y.io/preheat=enabled']);
      await cluster.kubectl(['create', 'deployment', 'web', '-n', 'shop', '--image', 'demo:v7']);
      await cluster.kubectl([
        'create',
        'cronjob',
        'night',
        '-n',
        'shop',
        '--image',
        'demo:v7',
        '--schedule',
        '0 3 * * *',
      ]);
      for (const name of ['deployment-web', 'cronjob-night'])
        await waitFor(
          `the end of ${name}`,
          async () => (await cluster.kubectl(['get', 'preheats', '-n', 'shop', name])).includes('2/2'),
          patienceMs,
        );
      await cluster.kubectl([
        'wait',
        '-n',
        'shop',
        'preheat/deployment-web',
        '--for',
        'condition=Ready',
        '--timeout',
        '60s',
      ]);
      assert.deepEqual(
        asked.map(({ url, ips, platform }) => [url, ips.length, platform]),
        [['demo:v7', 2, 'linux/amd64']],
      );
      await cluster.addNode('node-3', { 'kubernetes.io/arch': 'arm64' });
      await waitFor('node-3', () => asked.length === 2, patienceMs);
      assert.deepEqual([asked[1]?.ips.length, asked[1]?.platform], [1, 'linux/arm64']);
      await waitFor(
        'that it is told',
        async () => (await cluster.kubectl(['get', 'preheats', '-n', 'shop', 'deployment-web'])).includes('3/3'),
        patienceMs,
      );
      one.stop.abort();
      await one.running;
      await cluster.stopApiServer('SIGKILL');
      await cluster.compact();
      await cluster.startApiServer();
      one = start();
      // It goes with its workload; nothing is brought twice.
      await cluster.kubectl(['delete', 'deployment', 'web', '-n', 'shop']);
      await waitFor(
        'the end of its resource',
        async () => !(await cluster.kubectl(['get', 'preheats', '-n', 'shop'])).includes('deployment-web'),
        patienceMs,
      );
      assert.equal(asked.length, 2);
      await assert.rejects(
        () =>
          cluster.kubectl([
            'patch',
            'cronjob/night',
            '-n',
            'shop',
            '--type',
            'merge',
            '-p',
            '{"spec":{"suspend":true}}',
            `--as=system:serviceaccount:${release}:dragonfly-preheater`,
          ]),
        /forbidden/i,
      );
    } finally {
      one.stop.abort();
      await one.running;
      manager.close();
    }
  });
});
