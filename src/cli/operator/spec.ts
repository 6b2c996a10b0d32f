/** The desired state of an account: the resource `P2PManager`, as people write it. No I/O. */
import { z } from 'zod';
import { version as ownVersion } from '../../core/version.ts';

export const group = 'dragonfly.d7y.io';
export const apiVersion = `${group}/v1alpha1`;
export const kind = 'P2PManager';
export const accountsPath = `/apis/${group}/v1alpha1/p2pmanagers`;
/** Keeps the account's resource until its control plane is gone. */
export const finalizer = `${group}/control-plane`;
/** The owner of the fields that the operator writes. */
export const fieldOwner = 'dragonfly-operator';

const label = z
  .string()
  .regex(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/, 'a name in lower case, with digits and dashes');
const replicas = z.int().min(1).max(100).default(1);
const config = z.record(z.string(), z.unknown()).default({});
/** The API server writes them as text. */
const amounts = z.record(z.string(), z.union([z.string(), z.number()]).transform(String));
const resources = z.object({ requests: amounts.optional(), limits: amounts.optional() }).optional();
const storage = (size: string) =>
  z.object({ size: z.string().default(size), storageClass: z.string().optional() }).prefault({});

const databaseSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('sqlite') }),
  z.object({
    type: z.enum(['mysql', 'postgres']),
    host: z.string().min(1),
    port: z.int().min(1).max(65_535).optional(),
    name: z.string().default('manager'),
    user: z.string().default('dragonfly'),
    /** The name of a secret in the account's namespace that has the key `password`. */
    passwordSecret: z.string().optional(),
  }),
]);

export const specSchema = z.object({
  namespace: label.optional(),
  image: z.string().min(1).default('docker.io/dragonflyoss/dragonfly'),
  version: z.string().min(1).default(`v${ownVersion}`),
  imagePullSecrets: z.array(z.object({ name: z.string() })).default([]),
  /** Who may connect, besides the pods of the account itself. */
  allowFrom: z
    .object({ cidrs: z.array(z.string()).default([]), namespaces: z.array(z.string()).default([]) })
    .prefault({}),
  /** How the manager and the schedulers are reached from outside. */
  service: z
    .object({
      type: z.enum(['ClusterIP', 'NodePort', 'LoadBalancer']).default('ClusterIP'),
      annotations: z.record(z.string(), z.string()).default({}),
    })
    .prefault({}),
  manager: z
    .object({
      replicas,
      database: databaseSchema.default({ type: 'sqlite' }),
      storage: storage('1Gi'),
      config,
      resources,
    })
    .refine(
      ({ replicas: many, database }) => many === 1 || database.type !== 'sqlite',
      'several managers share a database server',
    )
    .prefault({}),
  scheduler: z.object({ replicas, config, resources }).prefault({}),
  seedPeer: z
    .object({ replicas: z.int().min(0).max(100).default(1), storage: storage('100Gi'), config, resources })
    .prefault({}),
  client: z
    .object({
      kind: z.enum(['None', 'DaemonSet', 'Deployment']).default('None'),
      replicas,
      nodeSelector: z.record(z.string(), z.string()).default({ 'kubernetes.io/os': 'linux' }),
      config,
      resources,
    })
    .prefault({}),
});
export type Spec = z.output<typeof specSchema>;

const conditionSchema = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string().default(''),
  observedGeneration: z.number().optional(),
  lastTransitionTime: z.string(),
});
export type Condition = z.output<typeof conditionSchema>;

export const statusSchema = z.looseObject({ conditions: z.array(conditionSchema).default([]) });

const accountSchema = z.object({
  metadata: z.object({
    name: z.string(),
    uid: z.string(),
    generation: z.number().default(0),
    resourceVersion: z.string().default(''),
    creationTimestamp: z.string().default(''),
    deletionTimestamp: z.string().optional(),
    finalizers: z.array(z.string()).default([]),
  }),
  spec: z.unknown(),
  status: statusSchema.optional().catch(undefined),
});

export type AccountMetadata = z.output<typeof accountSchema>['metadata'];

export interface Account {
  readonly metadata: AccountMetadata;
  /** Known even when the spec is invalid. */
  readonly namespace: string;
  /** Undefined, with the reason, when the spec is invalid. */
  readonly spec: Spec | undefined;
  readonly fault: string | undefined;
  readonly status: z.output<typeof statusSchema> | undefined;
}

export function parseAccount(object: unknown): Account {
  const { metadata, spec, status } = accountSchema.parse(object);
  const parsed = specSchema.safeParse(spec ?? {});
  const named = label.safeParse(metadata.name);
  const issue = parsed.error?.issues[0] ?? named.error?.issues[0];
  const fault = issue && `${['spec', ...issue.path].join('.')}: ${issue.message}`;
  const given = z.object({ namespace: label }).safeParse(spec);
  const namespace = given.data?.namespace ?? `dragonfly-${metadata.name}`;
  return { metadata, namespace, spec: fault === undefined ? parsed.data : undefined, fault, status };
}

/** Accounts share nothing: when two of them name the same thing, the older account gets it. */
export function conflict(account: Account, all: Iterable<Account>): { reason: string; message: string } | undefined {
  const mine = claims(account);
  for (const other of all) {
    if (other.metadata.uid === account.metadata.uid || !isOlder(other, account)) continue;
    for (const [reason, claim] of claims(other))
      if (mine.get(reason) === claim)
        return { reason, message: `${claim} belongs to the P2PManager ${other.metadata.name}` };
  }
  return undefined;
}

function claims(account: Account): Map<string, string> {
  const found = new Map([['NamespaceTaken', `the namespace ${account.namespace}`]]);
  const database = account.spec?.manager.database;
  if (database && database.type !== 'sqlite')
    found.set('DatabaseTaken', `the database ${database.name} of ${database.host}:${database.port ?? 'its port'}`);
  return found;
}

function isOlder(one: Account, other: Account): boolean {
  const [a, b] = [one, other].map(({ metadata }) => `${metadata.creationTimestamp} ${metadata.uid}`);
  return (a ?? '') < (b ?? '');
}
