/** What imports content and holds replicas of it. */
import { peerId } from '../../core/ids.ts';
import { Importer } from '../imports/importer.ts';
import { KeptTasks } from '../imports/kept-tasks.ts';
import type { Schedulers } from '../cluster/schedulers.ts';
import type { StoreParts } from '../open-store.ts';
import type { TaskEngine } from '../task/engine.ts';
import type { DaemonNode } from './node.ts';

export function openKeptTasks(
  { identity, logger, owned }: DaemonNode,
  { store, collector }: StoreParts,
  { schedulers, engine }: { readonly schedulers: Schedulers; readonly engine: TaskEngine },
): KeptTasks {
  const kept = new KeptTasks({
    store,
    engine,
    schedulers,
    importer: new Importer({ directory: store.incoming, makeRoom: (bytes) => collector.makeRoom(bytes) }),
    hostId: identity.hostId,
    newPeerId: () => peerId(identity.ip, identity.hostname, identity.isSeed),
    logger,
  });
  owned.add('kept tasks', kept);
  store.onDamage((task) => kept.heal(task));
  return kept;
}
