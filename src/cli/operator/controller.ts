/**
 * Carries out the plans of all accounts: one account at a time when a part of it has changed, and all of them at
 * intervals. The known state comes from watches and nothing else is remembered, so that this program can end and start
 * at any moment.
 */
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { DragonflyError, toDragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { backOffMs } from '../../rpc/back-off.ts';
import {
  applyObject,
  createObject,
  deleteObject,
  getObject,
  patchObject,
  type KubernetesApi,
} from '../kubernetes/client.ts';
import { follow } from '../kubernetes/follow.ts';
import { covers, observedSchema, plan, type Action, type Observed, type ObservedObject, type Plan } from './plan.ts';
import {
  accountsPath,
  apiVersion,
  conflict,
  fieldOwner,
  finalizer,
  group,
  kind,
  parseAccount,
  type Account,
} from './spec.ts';
import { componentStates, endpointsOf, statusOf } from './status.ts';

export interface ControllerOptions {
  readonly api: KubernetesApi;
  readonly logger: Logger;
  /** The interval at which all accounts are looked at again, whether or not anything changed. */
  readonly resyncMs?: number;
}

/** The watched kinds; secrets are not watched, because they are created and never read. */
const collections = {
  Namespace: '/api/v1/namespaces',
  Service: '/api/v1/services',
  ConfigMap: '/api/v1/configmaps',
  Deployment: '/apis/apps/v1/deployments',
  StatefulSet: '/apis/apps/v1/statefulsets',
  DaemonSet: '/apis/apps/v1/daemonsets',
  NetworkPolicy: '/apis/networking.k8s.io/v1/networkpolicies',
} as const;
const accountLabel = `${group}/account`;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #accounts = new Map<string, Account>();
  /** By kind, then by uid. */
  readonly #objects = new Map(Object.keys(collections).map((name) => [name, new Map<string, ObservedObject>()]));
  readonly #pending = new Set<string>();
  readonly #failures = new Map<string, number>();
  /** Accounts that will be looked at again after a while. */
  readonly #waiting = new Set<string>();
  /** Collections that were listed at least once; before that, missing objects may simply not be known. */
  readonly #listed = new Set<string>();
  #wake = Promise.withResolvers<void>();

  constructor(options: ControllerOptions) {
    this.#options = options;
  }

  /** Runs until the signal aborts. Control planes keep running while this program is away. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#wake.resolve(), { once: true });
    const watching = [
      this.#followAccounts(signal),
      ...Object.entries(collections).map((entry) => this.#follow(entry, signal)),
    ];
    const resync = this.#resync(signal);
    while (!signal.aborted) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
      if (signal.aborted || this.#listed.size <= Object.keys(collections).length) continue;
      for (const name of this.#pending) {
        if (signal.aborted) break;
        this.#pending.delete(name);
        await this.#look(name, signal);
      }
    }
    await Promise.all([...watching, resync]);
  }

  #touch(name: string | undefined): void {
    if (name !== undefined) this.#pending.add(name);
    this.#wake.resolve();
  }

  async #resync(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await delay(this.#options.resyncMs ?? 300_000, undefined, { signal }).catch(() => undefined);
      for (const name of this.#accounts.keys()) this.#touch(name);
    }
  }

  #followAccounts(signal: AbortSignal): Promise<void> {
    const { api, logger } = this.#options;
    const set = (object: unknown): void => {
      const account = parseAccount(object);
      this.#accounts.set(account.metadata.name, account);
      this.#touch(account.metadata.name);
    };
    const accounts = {
      path: accountsPath,
      reset: (items: readonly unknown[]) => {
        this.#accounts.clear();
        items.forEach(set);
        this.#listed.add(kind);
        this.#touch(undefined);
      },
      change: ({ type, object }: { type: string; object: unknown }) => {
        if (type !== 'DELETED') return set(object);
        this.#accounts.delete(parseAccount(object).metadata.name);
        // Accounts that wait for the names it used may now get them.
        for (const name of this.#accounts.keys()) this.#touch(name);
      },
      logger,
    };
    return follow(api, accounts, signal);
  }

  #follow([name, path]: [string, string], signal: AbortSignal): Promise<void> {
    const { api, logger } = this.#options;
    const known = this.#objects.get(name) ?? new Map<string, ObservedObject>();
    // The items of a list do not contain their kind.
    const parse = (item: unknown): ObservedObject =>
      observedSchema.parse({ apiVersion: versionOf(path), kind: name, ...(item as object) });
    const objects = {
      path,
      query: { labelSelector: `app.kubernetes.io/managed-by=${fieldOwner}` },
      reset: (items: readonly unknown[]) => {
        known.clear();
        for (const object of items.map(parse)) known.set(object.metadata.uid, object);
        this.#listed.add(name);
        for (const account of this.#accounts.keys()) this.#touch(account);
        this.#touch(undefined);
      },
      change: ({ type, object: told }: { type: string; object: unknown }) => {
        const object = parse(told);
        if (type === 'DELETED') known.delete(object.metadata.uid);
        else known.set(object.metadata.uid, object);
        this.#touch(object.metadata.labels[accountLabel] ?? this.#accountIn(object));
      },
      logger,
    };
    return follow(api, objects, signal);
  }

  /** Finds the account of an object that has lost its labels. */
  #accountIn({ metadata }: ObservedObject): string | undefined {
    const owners = new Set(metadata.ownerReferences.map(({ uid }) => uid));
    return [...this.#accounts.values()].find((account) => owners.has(account.metadata.uid))?.metadata.name;
  }

  async #look(name: string, signal: AbortSignal): Promise<void> {
    const account = this.#accounts.get(name);
    if (!account) return void this.#failures.delete(name);
    const { logger } = this.#options;
    let failure: string | undefined;
    try {
      const observed = await this.#observe(account, signal);
      const planned = plan(account, observed, {
        conflict: conflict(account, this.#accounts.values()),
        fresh: { 'encryption-secret': secret(), 'root-password': secret() },
      });
      for (const action of planned.actions) {
        try {
          await this.#carryOut(account, action, signal);
        } catch (error) {
          failure ??= toDragonflyError(error).message;
          // Someone else was faster; the next look sees what they did.
          if (toDragonflyError(error).code === 'ALREADY_EXISTS') throw error;
          // A refusal of one object does not stop the others; without a namespace, however, nothing can be created.
          if (action.do !== 'apply') break;
        }
      }
      await this.#tell(name, { planned, failure }, signal);
    } catch (error) {
      failure ??= toDragonflyError(error).message;
    }
    if (signal.aborted) return;
    if (failure === undefined) return void this.#failures.delete(name);
    logger.warn({ account: name, error: failure }, 'the control plane is not as specified');
    this.#tryAgain(name, signal);
  }

  /** Scheduled once, however often it has failed meanwhile. */
  #tryAgain(name: string, signal: AbortSignal): void {
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    if (this.#waiting.has(name)) return;
    this.#waiting.add(name);
    const touch = (): void => {
      this.#waiting.delete(name);
      this.#touch(name);
    };
    void delay(backOffMs(failures), undefined, { signal }).then(touch, () => undefined);
  }

  async #observe(account: Account, signal: AbortSignal): Promise<Observed> {
    const name = account.namespace;
    const watched = this.#objects.get('Namespace')?.values() ?? [];
    let namespace = [...watched].find(({ metadata }) => metadata.name === name);
    if (!namespace) {
      // The object may be somebody else's, without the watched labels.
      const found = await getObject(this.#options.api, `${collections.Namespace}/${name}`, signal);
      namespace = found === undefined ? undefined : observedSchema.parse(found);
    }
    const objects = [...this.#objects.values()].flatMap((known) => [...known.values()]);
    const own = objects.filter(
      ({ metadata }) =>
        metadata.namespace === name && metadata.ownerReferences.some(({ uid }) => uid === account.metadata.uid),
    );
    return { namespace, objects: own };
  }

  async #carryOut(account: Account, action: Action, signal: AbortSignal): Promise<void> {
    const { api, logger } = this.#options;
    const { name, resourceVersion } = account.metadata;
    switch (action.do) {
      case 'hold':
      case 'release': {
        // Includes the resource version, so that a finalizer that someone else has added in the meantime is not removed.
        const patch = { metadata: { finalizers: action.finalizers, resourceVersion } };
        this.#renew(await patchObject(api, { path: `${accountsPath}/${name}`, patch }, signal));
        break;
      }
      case 'create': {
        const { object } = action;
        try {
          this.#know(await createObject(api, { path: collectionOf(object), object, owner: fieldOwner }, signal));
        } catch (error) {
          // An existing secret is kept.
          if (object.kind !== 'Secret' || toDragonflyError(error).code !== 'ALREADY_EXISTS') throw error;
          return;
        }
        break;
      }
      case 'apply': {
        const { object } = action;
        const path = `${collectionOf(object)}/${object.metadata.name}`;
        const answer = await applyObject(api, { path, object, owner: fieldOwner }, signal);
        this.#know(answer);
        if (!covers(object, answer))
          throw new DragonflyError(
            'FAILED_PRECONDITION',
            `${object.kind} ${object.metadata.name} is changed on its way in`,
            {
              hint: 'Exempt the namespace from the admission webhook that does it.',
            },
          );
        break;
      }
      case 'delete': {
        const { object } = action;
        const path = `${collectionOf(object)}/${object.metadata.name}`;
        await deleteObject(api, { path, uid: object.metadata.uid }, signal);
      }
    }
    const what = 'object' in action ? `${action.object.kind}/${action.object.metadata.name}` : undefined;
    logger.info({ account: name, did: action.do, what }, 'the control plane has been changed');
  }

  /** Applied before the watch reports it, so that nothing is done twice. */
  #know(answer: unknown): void {
    const object = observedSchema.safeParse(answer);
    if (object.success) this.#objects.get(object.data.kind)?.set(object.data.metadata.uid, object.data);
  }

  /** Takes the account as the server now has it. */
  #renew(answer: unknown): void {
    const account = parseAccount(answer);
    if (this.#accounts.get(account.metadata.name)?.metadata.uid === account.metadata.uid)
      this.#accounts.set(account.metadata.name, account);
  }

  async #tell(
    name: string,
    outcome: { planned: Plan; failure: string | undefined },
    signal: AbortSignal,
  ): Promise<void> {
    const account = this.#accounts.get(name);
    const { uid, finalizers, deletionTimestamp } = account?.metadata ?? {};
    // The account is gone, or about to be.
    if (!account || (deletionTimestamp !== undefined && !finalizers?.includes(finalizer))) return;
    const observed = await this.#observe(account, signal);
    const [states, endpoints] = [componentStates(account, observed), endpointsOf(account, observed)];
    const status = statusOf(account, { ...outcome, states, endpoints, now: new Date() });
    if (isDeepStrictEqual(status, account.status)) return;
    const object = { apiVersion, kind, metadata: { name, uid }, status };
    const path = `${accountsPath}/${name}/status`;
    this.#renew(await applyObject(this.#options.api, { path, object, owner: fieldOwner }, signal));
  }
}

function collectionOf(object: {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string | undefined };
}): string {
  const all = object.kind === 'Secret' ? '/api/v1/secrets' : collections[object.kind as keyof typeof collections];
  const { namespace } = object.metadata;
  if (namespace === undefined) return all;
  const cut = all.lastIndexOf('/');
  return `${all.slice(0, cut)}/namespaces/${namespace}${all.slice(cut)}`;
}

/** `/apis/apps/v1/deployments` → `apps/v1` */
function versionOf(path: string): string {
  return path.split('/').slice(2, -1).join('/');
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}
