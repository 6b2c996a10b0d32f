/** Membership at a manager of the original: its jobs are served as soon as the manager is found and its Redis answers. */
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { DragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import { readPrivateKey } from '../../core/files/private-file.ts';
import type { Base } from '../assembly.ts';
import type { Brain } from '../brain.ts';
import { jobRedis } from '../config.ts';
import type { ServesJobs } from '../manager-link.ts';
import type { OriginalDaemons } from '../peers/original-daemons.ts';
import type { Preheater } from '../preheat/preheater.ts';
import { jobHandlers } from './job-handlers.ts';
import { JobQueue } from './job-queue.ts';
import type { RedisConfig } from './redis-config.ts';
import { RedisConnection } from './redis-connection.ts';

export interface ManagerJobsParts {
  readonly brain: Brain;
  readonly preheater: Preheater;
  readonly originals: OriginalDaemons;
}

/** Does not connect yet. Throws CONFIG_INVALID when a certificate file cannot be read. */
export async function managerJobs(
  { config, owned, logger }: Base,
  { brain, preheater, originals }: ManagerJobsParts,
): Promise<ServesJobs> {
  const settings = jobRedis(config);
  if (!settings) return () => false;
  const tls = await redisTls(settings);
  const hosts = () => brain.hosts.list().filter((host) => brain.swarm.host(host.id));
  const onError = outageLog(settings, logger);
  const queue = owned.add(
    'jobs of the manager',
    new JobQueue({
      connect: (database, signal) => {
        const number = database === 'queues' ? settings.brokerDB : settings.backendDB;
        return RedisConnection.open({ settings, database: number, tls, onError }, signal);
      },
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

/** A lost connection is retried every few seconds, so only the first failure of an outage is logged. */
function outageLog({ addrs }: RedisConfig, logger: Logger): (error: Error) => void {
  let last = '';
  return ({ message }) => {
    if (message === last) return;
    last = message;
    logger.warn({ addrs, reason: message }, 'the Redis with the jobs of the manager is away');
  };
}

async function redisTls({ tls }: RedisConfig): Promise<ConnectionOptions | undefined> {
  if (!tls) return undefined;
  const { caCert, cert, key, insecureSkipVerify } = tls;
  try {
    return {
      ...(caCert === undefined ? {} : { ca: await readFile(caCert) }),
      ...(cert === undefined || key === undefined
        ? {}
        : { cert: await readFile(cert), key: await readPrivateKey(key) }),
      rejectUnauthorized: !insecureSkipVerify,
    };
  } catch (cause) {
    throw new DragonflyError('CONFIG_INVALID', `cannot read database.redis.tls: ${(cause as Error).message}`, {
      cause,
    });
  }
}
