/** The chart: what its templates ask for is in its values; with helm, what comes out of it is what is promised. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { parse, parseAllDocuments } from 'yaml';
import type { ZodType } from 'zod';
import { programExists, searchPath } from '../../scripts/debian-packages.ts';
import { parseConfig } from '../../src/core/config/config.ts';
import { dfdaemonConfigSchema } from '../../src/dfdaemon/config.ts';
import { managerConfigSchema } from '../../src/manager/config.ts';
import { schedulerConfigSchema } from '../../src/scheduler/config.ts';
import { version as product } from '../../src/core/version.ts';
import { root } from '../house/repository.ts';

const chart = join(root, 'deploy/chart');
const valuesText = readFileSync(join(chart, 'values.yaml'), 'utf8');
const values = parse(valuesText, { merge: true }) as object;

test('values are at most 250 lines, and have every key that a template asks for', () => {
  assert.ok(valuesText.split('\n').length <= 250);
  const asked = globSync('templates/*', { cwd: chart }).flatMap((path) =>
    [...readFileSync(join(chart, path), 'utf8').matchAll(/\$?\.Values\.([\w.]+\w)/g)].map(([, key]) => key ?? ''),
  );
  assert.ok(asked.length > 50);
  const has = (key: string): boolean => {
    let at: unknown = values;
    for (const word of key.split('.')) {
      if (at === null || typeof at !== 'object' || !(word in at)) return false;
      at = (at as Record<string, unknown>)[word];
    }
    return true;
  };
  assert.deepEqual(
    [...new Set(asked)].filter((key) => !has(key)),
    [],
  );
});

test('the chart has the version of the product', () => {
  const { version, appVersion } = parse(readFileSync(join(chart, 'Chart.yaml'), 'utf8')) as Record<string, string>;
  assert.deepEqual({ version, appVersion }, { version: product, appVersion: product });
});

interface KubernetesObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly updateStrategy?: unknown;
    readonly template?: { readonly spec: PodSpec };
    readonly ports?: readonly { readonly nodePort?: number }[];
    readonly internalTrafficPolicy?: string;
  };
}

interface PodSpec {
  readonly hostNetwork?: boolean;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumes: readonly Readonly<Record<string, unknown>>[];
  readonly containers: readonly { readonly securityContext: Readonly<Record<string, unknown>> }[];
  readonly affinity?: unknown;
}

function rendered(...settings: string[]): KubernetesObject[] {
  const args = settings.flatMap((setting) => ['--set-json', setting]);
  const text = execFileSync('helm', ['template', 'df', chart, '--kube-version', '1.33.0', ...args], {
    encoding: 'utf8',
    env: { ...process.env, PATH: searchPath() },
    maxBuffer: 2 ** 26,
  });
  return parseAllDocuments(text).map((document) => document.toJS() as KubernetesObject);
}

const named = (objects: readonly KubernetesObject[], kind: string, name: string): KubernetesObject => {
  const found = objects.find((object) => object.kind === kind && object.metadata.name === `df-dragonfly-${name}`);
  assert.ok(found, `${kind} ${name}`);
  return found;
};

const pods = (objects: readonly KubernetesObject[]) =>
  objects.flatMap(({ metadata, spec }) => (spec?.template ? [{ name: metadata.name, pod: spec.template.spec }] : []));

describe('the chart as helm renders it', { skip: !programExists('helm') && 'helm is not installed' }, () => {
  test('by default: one DaemonSet, a manager with SQLite, a scheduler; all pods are restricted', () => {
    const objects = rendered();
    named(objects, 'DaemonSet', 'client');
    named(objects, 'StatefulSet', 'manager');
    named(objects, 'StatefulSet', 'scheduler');
    for (const { name, pod } of pods(objects)) {
      assert.equal(pod.hostNetwork, undefined, name);
      assert.equal(pod.securityContext['runAsNonRoot'], true, name);
      assert.ok(
        pod.volumes.every((volume) => volume['hostPath'] === undefined),
        name,
      );
      for (const { securityContext } of pod.containers) {
        assert.equal(securityContext['readOnlyRootFilesystem'], true, name);
        assert.equal(securityContext['allowPrivilegeEscalation'], false, name);
        assert.deepEqual(securityContext['capabilities'], { drop: ['ALL'] }, name);
      }
    }
    assert.match(JSON.stringify(named(objects, 'DaemonSet', 'client')), /node-role\.kubernetes\.io\/control-plane/);
    assert.equal(named(objects, 'Service', 'client').spec?.internalTrafficPolicy, 'Local');
  });

  test('the services know every key of the files they are given', () => {
    const schemas = {
      manager: managerConfigSchema,
      scheduler: schedulerConfigSchema,
      client: dfdaemonConfigSchema,
      'seed-peer': dfdaemonConfigSchema,
    };
    const databases = [
      '{"type":"sqlite"}',
      '{"type":"mysql","host":"db"}',
      '{"type":"postgres","host":"db","port":5432}',
    ];
    for (const database of databases) {
      const objects = rendered(`manager.database=${database}`, 'seedPeer.enable=true');
      for (const [name, schema] of Object.entries(schemas)) {
        const text = Object.values(named(objects, 'ConfigMap', name).data ?? {})[0] ?? '';
        assert.deepEqual(parseConfig<ZodType>(schema, text, name).warnings, [], name);
      }
    }
  });

  test('refuses what cannot work', () => {
    assert.throws(() => rendered('manager.replicas=2'), /several managers share a database server/);
    assert.throws(() => rendered('manager.enable=false'), /externalManager/);
  });

  test('as a cache without a control plane, on the network of the hosts, with the wiring of engines', () => {
    const cache = rendered(
      'client.kind="Deployment"',
      'manager.enable=false',
      'scheduler.enable=false',
      'externalManager=["10.0.0.1:65003"]',
    );
    assert.deepEqual(
      pods(cache).map(({ name }) => name),
      ['df-dragonfly-client'],
    );
    const host = rendered('client.hostNetwork=true', 'client.storage.type="hostPath"', 'wiring.enable=true');
    const client = named(host, 'DaemonSet', 'client').spec?.template?.spec;
    assert.equal(client?.hostNetwork, true);
    assert.equal(client.securityContext['runAsUser'], 0);
    assert.match(JSON.stringify(named(host, 'DaemonSet', 'wiring')), /"--hold".*http:\/\/127\.0\.0\.1:65001/);
  });

  test('the preheater writes nothing but what is its own, and reads no secrets', () => {
    const objects = rendered('preheater.enable=true', 'preheater.tokenSecret="t"');
    assert.equal(
      pods(objects).find(({ name }) => name === 'df-dragonfly-preheater')?.pod.securityContext['runAsNonRoot'],
      true,
    );
    const { rules } = named(objects, 'ClusterRole', 'preheater') as unknown as {
      rules: { apiGroups: string[]; resources: string[]; verbs: string[] }[];
    };
    for (const { apiGroups, resources, verbs } of rules) {
      assert.ok(!resources.includes('secrets'));
      if (apiGroups.join() !== 'dragonfly.d7y.io') assert.deepEqual(verbs, ['list', 'watch'], resources.join());
    }
    assert.throws(() => rendered('preheater.enable=true'), /preheater\.tokenSecret/);
  });

  test('the controller of accounts, alone: it is restricted, may make secrets and not read them', () => {
    const alone = ['client', 'manager', 'scheduler'].map((name) => `${name}.enable=false`);
    const objects = rendered('operator.enable=true', ...alone);
    assert.deepEqual(
      pods(objects).map(({ name, pod }) => [name, pod.securityContext['runAsNonRoot']]),
      [['df-dragonfly-operator', true]],
    );
    assert.ok(objects.some(({ kind }) => kind === 'CustomResourceDefinition'));
    const { rules } = named(objects, 'ClusterRole', 'operator') as unknown as {
      rules: { resources: string[]; verbs: string[] }[];
    };
    const ofSecrets = rules.filter(({ resources }) => resources.includes('secrets'));
    assert.deepEqual(
      ofSecrets.map(({ verbs }) => verbs),
      [['create']],
    );
    assert.ok(rules.every(({ resources, verbs }) => ![...resources, ...verbs].includes('*')));
  });
});
