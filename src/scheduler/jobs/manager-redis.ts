/** The Redis that managers and schedulers of the original share: jobs, and what hosts have said of themselves. */
import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { DragonflyError } from '../../core/errors.ts';
import { readPrivateKey } from '../../core/files/private-file.ts';
import type { Logger } from '../../core/process/logger.ts';
import { sharedRedis, type SchedulerConfig } from '../config.ts';
import type { RedisConfig } from './redis-config.ts';
import { RedisConnection } from './redis-connection.ts';

export interface ManagerRedis {
  readonly settings: RedisConfig;
  /** Resolves when it answers; until then it is tried again and again. */
  readonly open: (database: number, signal: AbortSignal) => Promise<RedisConnection>;
  /** The same, and rejects when the first try fails. */
  readonly tryOnce: (database: number, signal: AbortSignal) => Promise<RedisConnection>;
}

/** Undefined where none is configured. Connects to nothing yet. Throws CONFIG_INVALID when a certificate file cannot be read. */
export async function managerRedis(config: SchedulerConfig, logger: Logger): Promise<ManagerRedis | undefined> {
  const settings = sharedRedis(config);
  if (!settings) return undefined;
  const tls = await redisTls(settings);
  const onError = outageLog(settings, logger);
  return {
    settings,
    open: (database, signal) => RedisConnection.open({ settings, database, tls, onError }, signal),
    tryOnce: (database, signal) => {
      const failed = new AbortController();
      const once = { settings, database, tls, onError: (error: Error) => failed.abort(error) };
      return RedisConnection.open(once, AbortSignal.any([signal, failed.signal]));
    },
  };
}

/** A connection that is away is tried every few seconds: of each outage one line is enough. */
function outageLog({ addrs }: RedisConfig, logger: Logger): (error: Error) => void {
  let last = '';
  return ({ message }) => {
    if (message === last) return;
    last = message;
    logger.warn({ addrs, reason: message }, 'the Redis of the manager is away');
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
