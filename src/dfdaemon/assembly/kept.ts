/** The parts that import content, hold replicas of it, and write it to object stores. */
import { join } from 'node:path';
import { peerId } from '../../core/ids.ts';
import { Importer } from '../imports/importer.ts';
import { KeptTasks } from '../imports/kept-tasks.ts';
import { PendingUploads } from '../imports/pending-uploads.ts';
import { PersistentTasks } from '../imports/persistent-tasks.ts';
import { SealedStorage } from '../imports/sealed-storage.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { StoreParts } from '../open-store.ts';
import { Upstream } from '../proxy/wire/upstream.ts';
import type { Sources } from '../source/sources.ts';
import { TrustStore } from '../source/trust-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { DaemonNode } from './node.ts';

export interface KeptParts {
  readonly kept: KeptTasks;
  readonly persistent: PersistentTasks;
  readonly pendingUploads: PendingUploads;
}

export function openKeptTasks(
  { config, identity, logger, owned, egress, trust }: DaemonNode,
  { store, collector }: StoreParts,
  {
    schedulers,
    engine,
    sources,
  }: { readonly schedulers: Schedulers; readonly engine: TaskEngine; readonly sources: Sources },
): KeptParts {
  const upstream = new Upstream(egress, new TrustStore(trust, logger));
  owned.defer('connections to object stores', () => upstream[Symbol.dispose]());
  const sealed = new SealedStorage(join(config.workHome, 'secrets.key'));
  const pendingUploads = owned.add('pending uploads', new PendingUploads({ store, upstream, sealed, logger }));
  const kept = new KeptTasks({
    store,
    engine,
    schedulers,
    importer: new Importer({ directory: store.incoming, makeRoom: (bytes) => collector.makeRoom(bytes) }),
    hostId: identity.hostId,
    newPeerId: () => peerId(identity.ip, identity.hostname, identity.isSeed),
    abandon: (taskId) => pendingUploads.abandon(taskId),
    logger,
  });
  owned.add('kept tasks', kept);
  store.onCorrupt((task) => kept.heal(task));
  const persistent = new PersistentTasks({
    kept,
    store,
    sources,
    upstream,
    sealed,
    uploads: pendingUploads,
    news: schedulers.objects,
  });
  return { kept, persistent, pendingUploads };
}
