/** Membership at a manager of the original: its jobs are served as soon as it is met and its Redis answers. */
import type { Base } from '../assembly.ts';
import type { Brain } from '../brain.ts';
import { servesQueue } from '../config.ts';
import type { ServesJobs } from '../manager-link.ts';
import type { OriginalDaemons } from '../peers/original-daemons.ts';
import type { Preheater } from '../preheat/preheater.ts';
import { jobHandlers } from './job-handlers.ts';
import { JobQueue } from './job-queue.ts';
import type { ManagerRedis } from './manager-redis.ts';

export interface ManagerJobsParts {
  readonly brain: Brain;
  readonly preheater: Preheater;
  readonly originals: OriginalDaemons;
  readonly redis: ManagerRedis | undefined;
}

/** Connects to nothing yet. */
export function managerJobs(
  { config, owned, logger }: Base,
  { brain, preheater, originals, redis }: ManagerJobsParts,
): ServesJobs {
  if (!redis || !servesQueue(config)) return () => false;
  const { settings } = redis;
  const hosts = () => brain.hosts.list().filter((host) => brain.swarm.host(host.id));
  const queue = owned.add(
    'jobs of the manager',
    new JobQueue({
      connect: (database, signal) => redis.open(database === 'queues' ? settings.brokerDB : settings.backendDB, signal),
      handlers: jobHandlers({
        preheater,
        clusterId: config.manager.schedulerClusterID,
        hosts,
        // Daemons of the original name blobs by URL unless configured otherwise.
        blobsByUrl: () => brain.blobNames.byUrl ?? originals.present,
        onDeleted: (host, taskId) => brain.taskLeft(host.id, taskId),
      }),
      logger,
    }),
  );
  let serving = false;
  return ({ clusterId, hostname, ip }, onServing) => {
    queue.start(`scheduler_${clusterId}_${hostname}_${ip}`, () => {
      serving = true;
      onServing();
    });
    return serving;
  };
}
