/**
 * What daemons have told schedulers of the original: since 2.2 those write every announcement into the Redis that the schedulers of a
 * cluster share, since 2.4 under a second name as well. Records have no time to live; one that was not renewed for two intervals is of a host that is dead.
 */
import { z } from 'zod';
import { Host, type Host as HostMessage } from '../../../gen/common/v2/common.ts';
import type { RedisConnection } from '../jobs/redis-connection.ts';
import { defaultAnnounceIntervalMs, hostRecordsAtOnce, maxKeptHosts } from '../limits.ts';
import type { Introduction } from './introduced-hosts.ts';

/** The original's schedulers take no other. */
export const hostDatabase = 0;

const kinds = ['persistent-hosts', 'persistent-cache-hosts'];
const fields = [
  'id',
  'type',
  'hostname',
  'ip',
  'port',
  'download_port',
  'proxy_port',
  'disable_shared',
  'network_location',
  'network_idc',
  'announce_interval',
  'updated_at',
] as const;

const port = z.coerce.number().int().min(0).max(65_535);
const name = z.string().min(1).max(1_024);
const record = z.object({
  id: name,
  type: z.string(),
  hostname: name,
  ip: z.union([z.ipv4(), z.ipv6()]),
  port: port.min(1),
  download_port: port,
  proxy_port: port.catch(0),
  disable_shared: z.string().transform((text) => text === '1' || text === 'true'),
  network_location: z.string().max(1_024).catch(''),
  network_idc: z.string().max(1_024).catch(''),
  /** In nanoseconds. */
  announce_interval: z.coerce.number().min(0).catch(0),
  updated_at: z.iso.datetime({ offset: true }),
});

/** Those of the cluster that live, as far as their records say. */
export async function originalHosts(
  redis: Pick<RedisConnection, 'members' | 'fields'>,
  clusterId: number,
): Promise<Introduction[]> {
  for (const kind of kinds) {
    const key = `scheduler:scheduler-clusters:${clusterId}:${kind}`;
    const ids = (await redis.members(key)).slice(0, maxKeptHosts);
    const found: Introduction[] = [];
    for (let first = 0; first < ids.length; first += hostRecordsAtOnce) {
      const some = ids.slice(first, first + hostRecordsAtOnce);
      const values = await Promise.all(some.map((id) => redis.fields(`${key}:${id}`, fields)));
      found.push(...values.flatMap((value) => introductionFrom(value, Date.now()) ?? []));
    }
    if (found.length > 0) return found;
  }
  return [];
}

/** @param values in the order of `fields`. */
function introductionFrom(values: readonly (string | null)[], nowMs: number): Introduction | undefined {
  const read = record.safeParse(Object.fromEntries(fields.map((field, index) => [field, values[index]])));
  if (!read.success) return undefined;
  const told = read.data;
  const intervalMs = told.announce_interval / 1e6 || defaultAnnounceIntervalMs;
  if (Math.abs(nowMs - Date.parse(told.updated_at)) > 2 * intervalMs) return undefined;
  return { host: hostFrom(told), intervalMs };
}

function hostFrom(told: z.output<typeof record>): HostMessage {
  const { id, hostname, ip, port: rpcPort, download_port, proxy_port, disable_shared } = told;
  return Host.fromPartial({
    id,
    type: told.type === 'super' ? 1 : 0,
    hostname,
    name: hostname,
    ip,
    port: rpcPort,
    downloadPort: download_port,
    proxyPort: proxy_port,
    disableShared: disable_shared,
    network: { idc: told.network_idc, location: told.network_location },
  });
}
