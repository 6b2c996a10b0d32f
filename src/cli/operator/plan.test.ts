import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { desiredObjects, namespaceObject, type KubernetesObject } from './objects.ts';
import { covers, observedSchema, plan, type Action, type Observed, type ObservedObject } from './plan.ts';
import { apiVersion, conflict, finalizer, parseAccount, type Account } from './spec.ts';
import { componentStates, endpointsOf, statusOf, type AccountStatus } from './status.ts';

const now = new Date('2026-12-01T00:00:00Z');
const fresh = { 'encryption-secret': 'e', 'root-password': 'r' };

const account = (spec: unknown = {}, metadata: object = {}): Account =>
  parseAccount({
    apiVersion,
    metadata: { name: 'acme', uid: 'u1', generation: 3, finalizers: [finalizer], ...metadata },
    spec,
  });

/** The object as an API server returns it: with the server's additions, and with all pods ready. */
function running(object: KubernetesObject, ready = true): ObservedObject {
  const spec = object['spec'] as Record<string, unknown> | undefined;
  const pods = Number(spec?.['replicas'] ?? 1);
  return observedSchema.parse({
    ...structuredClone(object),
    metadata: { ...object.metadata, uid: `uid-${object.kind}-${object.metadata.name}`, generation: 1 },
    ...(spec && { spec: { ...structuredClone(spec), revisionHistoryLimit: 10 } }),
    status: { observedGeneration: 1, replicas: pods, updatedReplicas: pods, readyReplicas: ready ? pods : 0 },
  });
}

function world(of: Account, unready: readonly string[] = []): Observed {
  const { spec } = of;
  assert.ok(spec, of.fault);
  const owner = { ...of, spec };
  const objects = desiredObjects(owner).map((object) => running(object, !unready.includes(object.metadata.name)));
  return { namespace: running(namespaceObject(owner)), objects };
}

const told = (of: Account, observed: Observed): AccountStatus => {
  const [states, endpoints] = [componentStates(of, observed), endpointsOf(of, observed)];
  return statusOf(of, { states, endpoints, planned: planned(of, observed), failure: undefined, now });
};
const nothing: Observed = { namespace: undefined, objects: [] };
const planned = (of: Account, observed: Observed) => plan(of, observed, { conflict: undefined, fresh });
const named = (actions: readonly Action[]): string[] =>
  actions.map((action) =>
    'object' in action ? `${action.do} ${action.object.kind}/${action.object.metadata.name}` : action.do,
  );

describe('what must happen next for an account', () => {
  test('from nothing: it is held, and everything is made, in order', () => {
    const { actions } = planned(account({}, { finalizers: [] }), nothing);
    assert.deepEqual(named(actions), [
      'hold',
      'create Namespace/dragonfly-acme',
      'create Secret/manager',
      ...['manager', 'scheduler', 'seed-peer'].flatMap((name) =>
        ['ConfigMap', 'NetworkPolicy', 'Service', 'StatefulSet'].map((kind) => `apply ${kind}/${name}`),
      ),
    ]);
  });

  test('as it is specified: nothing, whatever the server has added', () => {
    const of = account({ manager: { resources: { limits: { cpu: '1000m', memory: '1024Mi' } } } });
    const observed = world(account({ manager: { resources: { limits: { cpu: 1, memory: '1Gi' } } } }));
    assert.deepEqual(planned(of, observed), { actions: [], waiting: [] });
    assert.equal(covers({ limits: { cpu: '1000m' } }, { limits: { cpu: '2' } }), false);
    assert.equal(covers({ tag: '1000m' }, { tag: '1' }), false);
  });

  test('what somebody changed or removed is put right; what is no more wanted goes', () => {
    const observed = world(account({ client: { kind: 'DaemonSet' } }));
    const objects = observed.objects.flatMap((object) => {
      if (object.kind === 'Service' && object.metadata.name === 'manager') return [];
      if (object.kind !== 'NetworkPolicy' || object.metadata.name !== 'scheduler') return [object];
      return [{ ...object, spec: { ...object.spec, replicas: 1, ingress: [{}] } }];
    });
    assert.deepEqual(named(planned(account(), { ...observed, objects }).actions), [
      'apply Service/manager',
      'apply NetworkPolicy/scheduler',
      ...['ConfigMap', 'NetworkPolicy', 'Service', 'DaemonSet'].map((kind) => `delete ${kind}/client`),
    ]);
  });

  test('a new version goes from component to component, each when the one before it is well', () => {
    const [old, next] = [account({ version: 'v1' }), account({ version: 'v2' })];
    const first = planned(next, world(old));
    assert.deepEqual(named(first.actions), ['apply StatefulSet/manager']);
    assert.deepEqual(first.waiting, ['scheduler', 'seed-peer']);
    const mixed = (managers: readonly string[]): Observed => ({
      namespace: world(old).namespace,
      objects: world(old).objects.map((object) =>
        object.metadata.name === 'manager' && object.kind === 'StatefulSet'
          ? (world(next, managers).objects.find(
              ({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'manager',
            ) ?? object)
          : object,
      ),
    });
    // The manager does not become ready, so the others stay as they are, and the status says why.
    const stuck = planned(next, mixed(['manager']));
    assert.deepEqual(stuck, { actions: [], waiting: ['scheduler', 'seed-peer'] });
    const waiting = told(next, mixed(['manager']));
    assert.deepEqual(
      waiting.conditions.map(({ type, status, reason }) => `${type} ${status} ${reason}`),
      ['Reconciled True AsSpecified', 'Progressing True Upgrading', 'Ready False NotReady'],
    );
    assert.equal(waiting.version, undefined);
    assert.deepEqual(named(planned(next, mixed([])).actions), ['apply StatefulSet/scheduler']);
    const done = told(next, world(next));
    assert.equal(done.version, 'v2');
    assert.equal(done.endpoints['manager'], 'manager.dragonfly-acme.svc:65003');
  });

  test('deleted: the namespace, then the account, which others may hold as well', () => {
    const leaving = account({}, { deletionTimestamp: '2026-12-01T00:00:00Z', finalizers: ['other', finalizer] });
    const { namespace, objects } = world(account());
    assert.deepEqual(named(planned(leaving, { namespace, objects }).actions), ['delete Namespace/dragonfly-acme']);
    assert.ok(namespace);
    const ending = { ...namespace, metadata: { ...namespace.metadata, deletionTimestamp: '2026-12-01T00:00:00Z' } };
    assert.deepEqual(planned(leaving, { namespace: ending, objects }).actions, []);
    assert.deepEqual(planned(leaving, nothing).actions, [{ do: 'release', finalizers: ['other'] }]);
    // A namespace of the same name that belongs to somebody else stays.
    const foreign = { ...namespace, metadata: { ...namespace.metadata, ownerReferences: [] } };
    assert.deepEqual(named(planned(leaving, { namespace: foreign, objects: [] }).actions), ['release']);
    assert.equal(planned(account(), { namespace: foreign, objects: [] }).refusal?.reason, 'NamespaceTaken');
  });

  test('a spec that cannot be carried out changes nothing, and says why', () => {
    const { actions, refusal } = planned(account({ manager: { replicas: 2 } }), world(account()));
    assert.deepEqual(actions, []);
    assert.match(refusal?.message ?? '', /spec\.manager.*share a database server/);
    assert.equal(account({ namespace: 'a', scheduler: { replicas: 0 } }).namespace, 'a');
  });
});

test('accounts share nothing: the older one keeps what both ask for', () => {
  const database = { type: 'mysql', host: 'db', name: 'manager' };
  const elder = account(
    { manager: { database } },
    { uid: 'u0', name: 'elder', creationTimestamp: '2026-01-01T00:00:00Z' },
  );
  const younger = account({ manager: { database } }, { creationTimestamp: '2026-02-01T00:00:00Z' });
  assert.equal(conflict(elder, [elder, younger]), undefined);
  assert.match(
    conflict(younger, [younger, elder])?.message ?? '',
    /database manager of db.* belongs to the P2PManager elder/,
  );
  const own = account(
    { manager: { database: { ...database, name: 'acme' } } },
    { creationTimestamp: '2026-02-01T00:00:00Z' },
  );
  assert.equal(conflict(own, [own, elder]), undefined);
  const same = account({ namespace: 'dragonfly-elder' }, { creationTimestamp: '2026-02-01T00:00:00Z' });
  assert.equal(conflict(same, [same, elder])?.reason, 'NamespaceTaken');
});
