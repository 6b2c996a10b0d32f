/**
 * The settings that a manager would send, read from a file: the schedulers of the cluster, and the downloads that are
 * blocked. The original's client reads such a file (dynconfig.yaml, since 1.5.1) when no manager is configured.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { z } from 'zod';
import { loadConfig } from '../../core/config/config.ts';
import { DragonflyError } from '../../core/errors.ts';
import { blockRulesSchema, noBlockLists, noBlockRules } from './block-list.ts';
import type { DfdaemonConfig } from '../config.ts';
import type { DynamicSettings } from './dynconfig.ts';

const blockList = z
  .object({ task: z.object({ download: blockRulesSchema.optional() }).optional() })
  .optional()
  .describe('block_list and blockList are the same');
const clientConfig = z.object({ block_list: blockList, blockList }).optional();

const localDynconfigSchema = z.object({
  scheduler: z
    .object({
      addr: z.string().optional().describe('host:port; a name of several addresses stands for as many schedulers'),
      addrs: z.array(z.string()).optional().describe('comes before addr'),
    })
    .optional(),
  clientConfig,
  seedClientConfig: clientConfig,
});

/** The settings of a daemon without a manager: the schedulers of its configuration, otherwise those of the local file. */
export async function configuredSettings(
  { scheduler, dynconfig }: Pick<DfdaemonConfig, 'scheduler' | 'dynconfig'>,
  isSeed: boolean,
): Promise<DynamicSettings> {
  const configured = { schedulers: scheduler.netAddrs.map(({ addr }) => addr), blocked: noBlockLists };
  if (scheduler.manager.enable || configured.schedulers.length > 0) return configured;
  return (await readLocalDynconfig(dynconfig, isSeed)) ?? configured;
}

/** Undefined when there is no such file. Throws CONFIG_INVALID, or UNAVAILABLE when the name of the schedulers cannot be resolved. */
async function readLocalDynconfig(path: string, isSeed: boolean): Promise<DynamicSettings | undefined> {
  const { config } = await loadConfig(localDynconfigSchema, path, { optional: true });
  const { addr, addrs } = config.scheduler ?? {};
  if (addr === undefined && addrs === undefined) return undefined;
  const own = isSeed ? config.seedClientConfig : config.clientConfig;
  const blocked = (own?.block_list ?? own?.blockList)?.task?.download ?? noBlockRules;
  return { schedulers: addrs ?? (await resolved(addr ?? '')), blocked: { ...blocked, kept: {}, persistent: {} } };
}

async function resolved(addr: string): Promise<string[]> {
  const { hostname, port } = new URL(`tcp://${addr}`);
  if (isIP(hostname.replace(/^\[|\]$/g, '')) !== 0) return [addr];
  try {
    const addresses = await lookup(hostname, { all: true });
    return addresses
      .map(({ address, family }) => (family === 6 ? `[${address}]:${port}` : `${address}:${port}`))
      .sort();
  } catch (cause) {
    throw new DragonflyError('UNAVAILABLE', `the schedulers' name ${hostname} cannot be resolved`, {
      cause,
      hint: 'Check scheduler.addr in the local dynconfig, or list addresses in scheduler.addrs.',
    });
  }
}
