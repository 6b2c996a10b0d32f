/** Control planes follow the accounts of a cluster, against an API server that keeps objects as a real one does, without pods. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { Controller } from '../../src/cli/operator/controller.ts';
import { desiredObjects } from '../../src/cli/operator/objects.ts';
import { runOperator } from '../../src/cli/operator/operator.ts';
import { parseAccount, specSchema, type Condition } from '../../src/cli/operator/spec.ts';
import { parseConfig } from '../../src/core/config/config.ts';
import { silentLogger } from '../../src/core/process/logger.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { managerConfigSchema } from '../../src/manager/config.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { root } from '../house/repository.ts';
import { waitFor } from '../support/wait-for.ts';
import { KubernetesApiServer, type StoredObject } from './kubernetes-api.ts';
import { runTool } from './tool-io.ts';

interface World extends AsyncDisposable {
  readonly api: KubernetesApiServer;
  readonly condition: (account: string, type: string) => Condition | undefined;
  readonly restart: () => Promise<void>;
}

async function startWorld(): Promise<World> {
  const api = await KubernetesApiServer.start();
  let stop = new AbortController();
  const start = (): Promise<void> => {
    stop = new AbortController();
    const server = { url: new URL(api.url), tokenFile: undefined, caFile: undefined };
    return new Controller({ api: server, logger: silentLogger }).run(stop.signal);
  };
  let running = start();
  return {
    api,
    condition: (account, type) => {
      const status = api.get(`p2pmanagers//${account}`)?.status as { conditions?: Condition[] } | undefined;
      return status?.conditions?.find((condition) => condition.type === type);
    },
    restart: async () => {
      stop.abort();
      await running;
      running = start();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await api[Symbol.asyncDispose]();
    },
  };
}

const add = (api: KubernetesApiServer, name: string, spec: Record<string, unknown> = {}): StoredObject =>
  api.create('p2pmanagers', { apiVersion: 'dragonfly.d7y.io/v1alpha1', kind: 'P2PManager', metadata: { name }, spec });

/** The pods of a workload are of its newest template, and ready. */
function rollOut(api: KubernetesApiServer, account: string, ...names: readonly string[]): void {
  for (const name of names)
    api.change(`statefulsets/dragonfly-${account}/${name}`, (object) => {
      const pods = Number(object.spec?.['replicas']);
      const counts = { replicas: pods, updatedReplicas: pods, readyReplicas: pods };
      object.status = { observedGeneration: object.metadata.generation, ...counts };
    });
}

const imageOf = (api: KubernetesApiServer, key: string): string =>
  /"image":"([^"]+)"/.exec(JSON.stringify(api.get(key) ?? {}))?.[1] ?? '';
const components = ['manager', 'scheduler', 'seed-peer'];

describe('operator', { timeout: 120_000 }, () => {
  test('two accounts: made, told, put right, upgraded one after the other, and one deleted without a trace of it', async () => {
    await using world = await startWorld();
    const { api, condition } = world;
    const { uid } = add(api, 'acme', { version: 'v1' }).metadata;
    add(api, 'blue', { version: 'v1' });
    for (const account of ['acme', 'blue']) {
      await waitFor(
        `the seed of ${account}`,
        () => api.get(`statefulsets/dragonfly-${account}/seed-peer`) !== undefined,
      );
      rollOut(api, account, ...components);
      await waitFor(`${account} to be ready`, () => condition(account, 'Ready')?.status === 'True');
      await waitFor(`${account} to be complete`, () => condition(account, 'Progressing')?.status === 'False');
    }
    const status = api.get('p2pmanagers//acme')?.status;
    assert.equal(status?.['version'], 'v1');
    assert.equal(status['ready'], '3/3');
    assert.deepEqual(status['endpoints'], {
      console: 'http://manager.dragonfly-acme.svc:8080',
      manager: 'manager.dragonfly-acme.svc:65003',
      scheduler: 'scheduler.dragonfly-acme.svc:8002',
    });
    // Nothing is in both: namespaces, keys, passwords; each object says whose it is.
    const secrets = ['acme', 'blue'].map(
      (account) => api.get(`secrets/dragonfly-${account}/manager`)?.['stringData'] as object,
    );
    assert.equal(new Set(secrets.flatMap((data) => Object.values(data as Record<string, string>))).size, 4);
    const ofAcme = api.keys().filter((key) => /dragonfly-acme(?:\/|$)/.test(key));
    assert.equal(ofAcme.length, 14);
    for (const key of ofAcme) assert.equal(api.get(key)?.metadata.ownerReferences?.[0]?.uid, uid, key);
    assert.doesNotMatch(JSON.stringify(ofAcme.map((key) => api.get(key))), /blue/);

    // Changed and removed by hand.
    api.change('services/dragonfly-acme/scheduler', (object) => (object.spec = { ...object.spec, selector: {} }));
    api.delete('configmaps/dragonfly-acme/manager');
    await waitFor('what was changed', () =>
      JSON.stringify(api.get('services/dragonfly-acme/scheduler')?.spec).includes('component'),
    );
    await waitFor('what was removed', () => api.get('configmaps/dragonfly-acme/manager') !== undefined);

    // In place, the manager first; the other account does not notice.
    const blue = api.get('statefulsets/dragonfly-blue/manager');
    api.change('p2pmanagers//acme', (object) => (object.spec = { ...object.spec, version: 'v2' }));
    for (const [index, name] of components.entries()) {
      await waitFor(`v2 of ${name}`, () => imageOf(api, `statefulsets/dragonfly-acme/${name}`).endsWith(':v2'));
      for (const later of components.slice(index + 1))
        assert.match(imageOf(api, `statefulsets/dragonfly-acme/${later}`), /:v1$/, `${later} before ${name}`);
      rollOut(api, 'acme', name);
    }
    await waitFor('the version', () => api.get('p2pmanagers//acme')?.status?.['version'] === 'v2');
    assert.equal(condition('acme', 'Ready')?.status, 'True');
    assert.deepEqual(api.get('statefulsets/dragonfly-blue/manager'), blue);
    assert.deepEqual(api.get('secrets/dragonfly-acme/manager')?.['stringData'], secrets[0]);

    // The account stays until the namespace has gone, which something else holds.
    api.change('namespaces//dragonfly-acme', (object) => (object.metadata.finalizers = ['kubernetes']));
    api.delete('p2pmanagers//acme');
    await waitFor('the end of the namespace', () => api.get('namespaces//dragonfly-acme')?.metadata.deletionTimestamp);
    await waitFor('that it is told', () => condition('acme', 'Reconciled')?.reason === 'Deleting');
    for (const key of api.keys().filter((one) => /^(?:statefulsets|services)\/dragonfly-acme\//.test(one)))
      api.delete(key);
    await waitFor('that nothing is left', () => api.get('p2pmanagers//acme')?.status?.['ready'] === '0/0');
    api.change('namespaces//dragonfly-acme', (object) => (object.metadata.finalizers = []));
    await waitFor('the end of the account', () => api.get('p2pmanagers//acme') === undefined);
    assert.deepEqual(
      api.keys().filter((key) => key.includes('acme')),
      [],
    );
    assert.equal(condition('blue', 'Ready')?.status, 'True');
  });

  test('goes on where watches end, lists anew what was forgotten, and starts anew without writing anything', async () => {
    await using world = await startWorld();
    const { api, condition } = world;
    add(api, 'acme');
    await waitFor('the seed', () => api.get('statefulsets/dragonfly-acme/seed-peer') !== undefined);
    rollOut(api, 'acme', ...components);
    await waitFor('that it is complete', () => condition('acme', 'Progressing')?.status === 'False');
    const lists = { ...api.lists };
    api.endWatches({ forget: false });
    api.delete('services/dragonfly-acme/manager');
    await waitFor('what was deleted meanwhile', () => api.get('services/dragonfly-acme/manager') !== undefined);
    assert.deepEqual(api.lists, lists);
    api.endWatches({ forget: true });
    api.delete('services/dragonfly-acme/scheduler');
    await waitFor('what nobody told', () => api.get('services/dragonfly-acme/scheduler') !== undefined);
    await waitFor('the end of the changes', () => condition('acme', 'Progressing')?.status === 'False');
    assert.equal(api.lists['services'], (lists['services'] ?? 0) + 1);
    const writes = api.writes.length;
    await world.restart();
    await waitFor('the lists of the next one', () => (api.lists['p2pmanagers'] ?? 0) > (lists['p2pmanagers'] ?? 0) + 1);
    api.delete('services/dragonfly-acme/seed-peer');
    await waitFor('that it works', () => api.get('services/dragonfly-acme/seed-peer') !== undefined);
    // What was missing, and the secret never again.
    assert.deepEqual(
      new Set(api.writes.slice(writes).filter((write) => !write.endsWith('/status'))),
      new Set(['PATCH services/seed-peer']),
    );
    assert.equal(api.writes.filter((write) => write === 'POST secrets/manager').length, 1);
  });

  test('what is refused is told and tried again; somebody who is faster loses nothing', async () => {
    await using world = await startWorld();
    const { api, condition } = world;
    let isRefusing = true;
    let isFirst = true;
    api.refuse = (write) => {
      if (write === 'PATCH p2pmanagers/acme' && isFirst) {
        isFirst = false;
        // Between what was told and what is written another controller adds its own.
        api.change('p2pmanagers//acme', (object) => (object.metadata.finalizers = ['example.org/other']));
      }
      return write === 'PATCH statefulsets/manager' && isRefusing ? 422 : undefined;
    };
    add(api, 'acme');
    await waitFor('that it is told', () => condition('acme', 'Reconciled')?.reason === 'ActionFailed');
    assert.match(condition('acme', 'Reconciled')?.message ?? '', /422.*statefulsets\/manager.*refused/);
    // The others do not wait for it.
    assert.ok(api.get('statefulsets/dragonfly-acme/scheduler'));
    isRefusing = false;
    await waitFor('the manager', () => api.get('statefulsets/dragonfly-acme/manager') !== undefined);
    await waitFor('that it is told', () => condition('acme', 'Reconciled')?.status === 'True');
    assert.deepEqual(api.get('p2pmanagers//acme')?.metadata.finalizers, [
      'example.org/other',
      'dragonfly.d7y.io/control-plane',
    ]);
    // Somebody else's namespace is not touched.
    api.create('namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'dragonfly-blue' } });
    const theirs = api.get('namespaces//dragonfly-blue');
    add(api, 'blue');
    await waitFor('that it is told', () => condition('blue', 'Reconciled')?.reason === 'NamespaceTaken');
    api.delete('p2pmanagers//blue');
    await waitFor('its end', () => api.get('p2pmanagers//blue') === undefined);
    assert.deepEqual(api.get('namespaces//dragonfly-blue'), theirs);
  });

  test('a mistake is one sentence', async () => {
    assert.match((await runTool(runOperator, [])).error?.message ?? '', /this is not a pod/);
    assert.match(
      (await runTool(runOperator, ['--kubernetes', 'x'])).error?.message ?? '',
      /not the URL of an API server/,
    );
  });
});

test('the services know every key of the files they are given', () => {
  const schemas: Record<string, z.ZodType> = {
    manager: managerConfigSchema,
    scheduler: schedulerConfigSchema,
    'seed-peer': dfdaemonConfigSchema,
    client: dfdaemonConfigSchema,
  };
  for (const database of [
    { type: 'sqlite' },
    { type: 'mysql', host: 'db' },
    { type: 'postgres', host: 'db', port: 5432 },
  ]) {
    const spec = { manager: { database }, client: { kind: 'Deployment' } };
    const account = parseAccount({ metadata: { name: 'acme', uid: 'u' }, spec });
    assert.ok(account.spec, account.fault);
    const files = desiredObjects({ ...account, spec: account.spec }).filter(({ kind }) => kind === 'ConfigMap');
    assert.equal(files.length, 4);
    for (const { metadata, data } of files)
      assert.deepEqual(
        parseConfig(schemas[metadata.name] ?? z.never(), Object.values(data as object)[0] as string, metadata.name)
          .warnings,
        [],
      );
  }
});

test('the definition of the resource knows the keys that the controller knows', () => {
  const text = readFileSync(join(root, 'deploy/chart/files/p2pmanagers.yaml'), 'utf8');
  const definition = parse(text) as { spec: { versions: [{ schema: { openAPIV3Schema: Schema } }] } };
  const defined = definition.spec.versions[0].schema.openAPIV3Schema.properties?.['spec'];
  const known = z.toJSONSchema(specSchema, { io: 'input' }) as Schema;
  assert.ok(defined);
  assert.deepEqual(keysOf(defined), keysOf(known));
});

test('rules of definitions compare no texts inside of old objects: an API server finds that too costly, and refuses the definition', () => {
  for (const name of ['p2pmanagers', 'preheats'])
    assert.doesNotMatch(readFileSync(join(root, `deploy/chart/files/${name}.yaml`), 'utf8'), /rule: .*== oldSelf\./);
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}

function keysOf({ properties = {}, items, oneOf = [], anyOf = [] }: Schema, path = ''): string[] {
  const own = Object.entries(properties).flatMap(([key, inner]) => [
    `${path}.${key}`,
    ...keysOf(inner, `${path}.${key}`),
  ]);
  const others = [...oneOf, ...anyOf, ...(items ? [items] : [])].flatMap((inner) => keysOf(inner, path));
  return [...new Set([...own, ...others])].sort();
}
