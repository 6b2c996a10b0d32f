/** Where a manager of the original queues jobs: its keys in `scheduler.yaml`, at their current place and at the old one. */
import { z } from 'zod';
import { ignored, section } from '../../core/config/config.ts';
import { hostPort } from '../../core/net/host-port.ts';

const text = z.string();
const database = z.int().min(0).max(65_535);
const keys = {
  addrs: z
    .array(text)
    .default([])
    .describe('host:port of the Redis of a manager of the original; several without masterName are a Redis cluster'),
  host: text.default('').describe('old way to write addrs, with port'),
  port: z.int().min(0).max(65_535).default(0),
  masterName: text.default('').describe('addrs are those of sentinels, which watch over a master of this name'),
  username: text.default(''),
  password: text.default(''),
  sentinelUsername: text.default(''),
  sentinelPassword: text.default(''),
  brokerDB: database.default(1).describe('database of the queues'),
  backendDB: database.default(2).describe('database of the results'),
  // Two connections are enough here.
  db: ignored,
  networkTopologyDB: ignored,
  poolSize: ignored,
  poolTimeout: ignored,
};

export const redisTls = z
  .object({
    caCert: text.optional(),
    cert: text.optional(),
    key: text.optional(),
    insecureSkipVerify: z.boolean().default(false),
  })
  .optional();

export const redisConfig = section({ ...keys, tls: redisTls.describe('reach Redis over TLS') });

export type RedisConfig = z.output<typeof redisConfig>;

/** The effective settings: the old section fills what the new one leaves empty. Undefined without an address. */
export function redisSettings(current: RedisConfig, old: RedisConfig): RedisConfig | undefined {
  const [here, there] = [addressesOf(current), addressesOf(old)];
  const addrs = here.length > 0 ? here : there;
  if (addrs.length === 0) return undefined;
  const { brokerDB, backendDB } = here.length > 0 ? current : old;
  return {
    ...current,
    addrs: [...addrs],
    brokerDB,
    backendDB,
    masterName: current.masterName || old.masterName,
    username: current.username || old.username,
    password: current.password || old.password,
    sentinelUsername: current.sentinelUsername || old.sentinelUsername,
    sentinelPassword: current.sentinelPassword || old.sentinelPassword,
    tls: current.tls ?? old.tls,
  };
}

function addressesOf({ addrs, host, port }: RedisConfig): readonly string[] {
  if (addrs.length > 0) return addrs;
  return host === '' || port === 0 ? [] : [hostPort(host, port)];
}
