/** The Kubernetes objects of a control plane, in the namespace of its account. No I/O. */
import { createHash } from 'node:crypto';
import { stringify } from 'yaml';
import { apiVersion, group, kind, type AccountMetadata, type Spec } from './spec.ts';

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly labels?: Readonly<Record<string, string>>;
    readonly [key: string]: unknown;
  };
  readonly [key: string]: unknown;
}

/** In the order in which they are updated to a new version. */
export const components = ['manager', 'scheduler', 'seed-peer', 'client'] as const;
export type Component = (typeof components)[number];

export const componentLabel = 'app.kubernetes.io/component';
export const managedBy = { 'app.kubernetes.io/managed-by': 'dragonfly-operator' };

export const ports = {
  manager: { rest: 8080, grpc: 65_003 },
  scheduler: { grpc: 8002 },
  'seed-peer': { peer: 65_000, pieces: 65_002 },
  client: { peer: 65_000, proxy: 65_001, pieces: 65_002 },
} as const satisfies Readonly<Record<Component, Readonly<Record<string, number>>>>;
const metricsPort = 8000;

interface Owner {
  readonly namespace: string;
  readonly metadata: AccountMetadata;
  readonly spec: Spec;
}

export function componentsOf({ seedPeer, client }: Spec): Component[] {
  return components.filter(
    (component) =>
      !(component === 'seed-peer' && seedPeer.replicas === 0) && !(component === 'client' && client.kind === 'None'),
  );
}

export function namespaceObject(owner: Owner): KubernetesObject {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: metadata(owner, undefined, owner.namespace, labels) };
}

/** Created once and never read by the operator: its holder alone can decrypt the secrets in the manager's database. */
export function secretObject(owner: Owner, data: Readonly<Record<string, string>>): KubernetesObject {
  const common = metadata(owner, 'manager', 'manager');
  return { apiVersion: 'v1', kind: 'Secret', metadata: common, type: 'Opaque', stringData: data };
}

/** All objects except the namespace and the secret. */
export function desiredObjects(owner: Owner): KubernetesObject[] {
  return componentsOf(owner.spec).flatMap((component) => {
    const files = configFile(owner, component);
    return [
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: metadata(owner, component, component), data: files },
      networkPolicy(owner, component),
      service(owner, component),
      workload(owner, component, files),
    ];
  });
}

export function imageOf({ image, version }: Spec): string {
  return version.startsWith('sha256:') ? `${image}@${version}` : `${image}:${version}`;
}

function metadata(
  owner: Owner,
  component: Component | undefined,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): KubernetesObject['metadata'] {
  const { name: account, uid } = owner.metadata;
  const reference = { apiVersion, kind, name: account, uid, controller: true, blockOwnerDeletion: true };
  return {
    name,
    ...(component && { namespace: owner.namespace }),
    labels: { ...managedBy, [`${group}/account`]: account, ...(component && selector(component)), ...labels },
    ownerReferences: [reference],
  };
}

const selector = (component: Component): Record<string, string> => ({
  'app.kubernetes.io/name': 'dragonfly',
  [componentLabel]: component,
});

function networkPolicy(owner: Owner, component: Component): KubernetesObject {
  const { cidrs, namespaces } = owner.spec.allowFrom;
  const from = [
    { podSelector: {} },
    ...cidrs.map((cidr) => ({ ipBlock: { cidr } })),
    ...namespaces.map((name) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } })),
  ];
  const open = [...Object.values(ports[component]), metricsPort].map((port) => ({ protocol: 'TCP', port }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: metadata(owner, component, component),
    spec: {
      podSelector: { matchLabels: selector(component) },
      policyTypes: ['Ingress'],
      ingress: [{ from, ports: open }],
    },
  };
}

function service(owner: Owner, component: Component): KubernetesObject {
  const { type, annotations } = owner.spec.service;
  const common = metadata(owner, component, component);
  const outside = component === 'manager' || component === 'scheduler';
  const local = component === 'client' && owner.spec.client.kind === 'DaemonSet';
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: outside ? { ...common, annotations } : common,
    spec: {
      ...(component === 'seed-peer' ? { clusterIP: 'None' } : { type: outside ? type : 'ClusterIP' }),
      ...(local && { internalTrafficPolicy: 'Local' }),
      selector: selector(component),
      ports: Object.entries(ports[component]).map(([name, port]) => ({
        name,
        port,
        protocol: 'TCP',
        targetPort: name,
      })),
    },
  };
}

function configFile(owner: Owner, component: Component): Record<string, string> {
  const { spec } = owner;
  const manager = `manager.${owner.namespace}.svc:${ports.manager.grpc}`;
  const metrics = { enable: true, addr: `:${metricsPort}` };
  if (component === 'manager') {
    const { database } = spec.manager;
    const { type, ...server } = database;
    const { name, passwordSecret: _elsewhere, ...rest } = { name: undefined, passwordSecret: undefined, ...server };
    const file = {
      server: { rest: { addr: `:${ports.manager.rest}` }, grpc: { port: { start: ports.manager.grpc } } },
      database:
        type === 'sqlite'
          ? { type, sqlite: { path: '/var/lib/dragonfly/manager/manager.db' } }
          : { type, [type]: { ...rest, dbname: name } },
      metrics,
    };
    return { 'manager.yaml': stringify(merged(file, spec.manager.config)) };
  }
  if (component === 'scheduler') {
    const file = {
      server: { port: ports.scheduler.grpc, cacheDir: '/var/cache/dragonfly/scheduler' },
      manager: { addr: manager, schedulerClusterID: 1 },
      metrics,
    };
    return { 'scheduler.yaml': stringify(merged(file, spec.scheduler.config)) };
  }
  const seed = component === 'seed-peer';
  const members = { enable: true, netAddrs: [{ type: 'tcp', addr: manager }] };
  const file = {
    workHome: '/var/lib/dragonfly/home',
    dataDir: '/var/lib/dragonfly/data',
    cacheDir: '/var/lib/dragonfly/cache',
    console: true,
    scheduler: { manager: seed ? { ...members, seedPeer: { enable: true, type: 'super', clusterID: 1 } } : members },
    storage: { diskGCThresholdPercent: 80 },
    proxy: seed
      ? { enable: false }
      : {
          tcpListen: { listen: '0.0.0.0', port: ports.client.proxy },
          registryMirror: { url: 'https://index.docker.io', dynamic: true },
          proxies: [{ regx: 'blobs/sha256.*' }],
          allowedNetworks: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'],
        },
    metrics: `:${metricsPort}`,
  };
  return { 'dfget.yaml': stringify(merged(file, seed ? spec.seedPeer.config : spec.client.config)) };
}

const programs = {
  manager: ['manager', '--config', '/etc/dragonfly/manager.yaml', '--console'],
  scheduler: ['scheduler', '--config', '/etc/dragonfly/scheduler.yaml', '--console'],
  'seed-peer': ['dfdaemon', '--config', '/etc/dragonfly/dfget.yaml', '--console'],
  client: ['dfdaemon', '--config', '/etc/dragonfly/dfget.yaml', '--console'],
} as const satisfies Readonly<Record<Component, readonly string[]>>;

const dataPaths = {
  manager: '/var/lib/dragonfly/manager',
  scheduler: '/var/cache/dragonfly/scheduler',
  'seed-peer': '/var/lib/dragonfly',
  client: '/var/lib/dragonfly',
} as const satisfies Readonly<Record<Component, string>>;

function workload(owner: Owner, component: Component, files: Readonly<Record<string, string>>): KubernetesObject {
  const { spec } = owner;
  const own = component === 'seed-peer' ? spec.seedPeer : spec[component];
  const claim =
    (component === 'manager' && spec.manager.database.type === 'sqlite' && spec.manager.storage) ||
    (component === 'seed-peer' && spec.seedPeer.storage);
  const workloadKind = kindOf(spec, component);
  return {
    apiVersion: 'apps/v1',
    kind: workloadKind,
    metadata: metadata(owner, component, component),
    spec: {
      ...(workloadKind !== 'DaemonSet' && { replicas: own.replicas }),
      // A pod that a bad version has broken must not block its replacement by the next version.
      ...(workloadKind === 'StatefulSet' && { serviceName: component, podManagementPolicy: 'Parallel' }),
      selector: { matchLabels: selector(component) },
      template: {
        metadata: {
          labels: { ...selector(component), [`${group}/account`]: owner.metadata.name },
          annotations: { 'checksum/config': createHash('sha256').update(JSON.stringify(files)).digest('hex') },
        },
        spec: podSpec(owner, component, claim !== false),
      },
      ...(claim && {
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: {
              accessModes: ['ReadWriteOnce'],
              ...(claim.storageClass && { storageClassName: claim.storageClass }),
              resources: { requests: { storage: claim.size } },
            },
          },
        ],
      }),
    },
  };
}

export function kindOf(spec: Spec, component: Component): 'Deployment' | 'StatefulSet' | 'DaemonSet' {
  if (component === 'client') return spec.client.kind === 'DaemonSet' ? 'DaemonSet' : 'Deployment';
  return component === 'manager' && spec.manager.database.type !== 'sqlite' ? 'Deployment' : 'StatefulSet';
}

/** Meets the restricted Pod Security Standard, without access to the API server. */
function podSpec({ spec }: Owner, component: Component, claimed: boolean): object {
  const own = component === 'seed-peer' ? spec.seedPeer : spec[component];
  const opened = { ...ports[component], metrics: metricsPort };
  const [port] = component === 'manager' ? [ports.manager.grpc] : Object.values(ports[component]);
  const probe = { timeoutSeconds: 5, periodSeconds: 10 };
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: 60,
    ...(spec.imagePullSecrets.length > 0 && { imagePullSecrets: spec.imagePullSecrets }),
    nodeSelector: component === 'client' ? spec.client.nodeSelector : { 'kubernetes.io/os': 'linux' },
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      fsGroup: 65_532,
      fsGroupChangePolicy: 'OnRootMismatch',
      seccompProfile: { type: 'RuntimeDefault' },
    },
    containers: [
      {
        name: component,
        image: imageOf(spec),
        args: programs[component],
        ...(component === 'manager' && { env: managerEnvironment(spec) }),
        ports: Object.entries(opened).map(([name, containerPort]) => ({ name, containerPort, protocol: 'TCP' })),
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        resources: own.resources ?? { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '2Gi' } },
        startupProbe: { ...probe, tcpSocket: { port }, failureThreshold: 30 },
        livenessProbe: { ...probe, tcpSocket: { port }, failureThreshold: 3 },
        readinessProbe: { ...probe, grpc: { port }, failureThreshold: 3 },
        volumeMounts: [
          { name: 'config', mountPath: '/etc/dragonfly', readOnly: true },
          { name: 'data', mountPath: dataPaths[component] },
          { name: 'run', mountPath: '/run' },
        ],
      },
    ],
    volumes: [
      { name: 'config', configMap: { name: component } },
      { name: 'run', emptyDir: {} },
      ...(claimed ? [] : [{ name: 'data', emptyDir: {} }]),
    ],
  };
}

function managerEnvironment({ manager: { database } }: Spec): object[] {
  const from = (name: string, key: string): object => ({ valueFrom: { secretKeyRef: { name, key } } });
  const password = database.type === 'sqlite' ? undefined : database.passwordSecret;
  return [
    { name: 'DRAGONFLY_ENCRYPTION_SECRET', ...from('manager', 'encryption-secret') },
    { name: 'DRAGONFLY_INITIAL_ROOT_PASSWORD', ...from('manager', 'root-password') },
    ...(password === undefined
      ? []
      : [{ name: `MANAGER_DATABASE_${database.type.toUpperCase()}_PASSWORD`, ...from(password, 'password') }]),
  ];
}

/** Given values win, key by key; lists are replaced as a whole. */
export function merged(
  base: Readonly<Record<string, unknown>>,
  given: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(given)) {
    const before = result[key];
    result[key] = isRecord(before) && isRecord(value) ? merged(before, value) : value;
  }
  return result;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
