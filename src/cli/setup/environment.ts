/**
 * Clients that read an address from their environment: what they read, and a file by which every shell of this machine sets it.
 * Services have an environment of their own, which names the same file (`EnvironmentFile=`, without its `export`s).
 */
import { readOrUndefined } from './journal.ts';
import type { SetupPlan } from './plan.ts';

export const environmentClients = ['huggingface', 'modelscope', 's3', 'vllm'] as const;
export type EnvironmentClient = (typeof environmentClients)[number];

/** Doors as the daemon names them at `/.well-known/dragonfly`; those that are open, as URLs. */
export type DoorUrls = Readonly<Partial<Record<string, string>>>;

/** Where the doors are, by the daemon's own defaults. */
export function usualDoors(proxyUrl: string): DoorUrls {
  const { hostname } = new URL(proxyUrl);
  return { huggingface: `${proxyUrl}/hf`, modelscope: `${proxyUrl}/ms`, s3: `http://${hostname}:65004` };
}

/** Which doors a client cannot do without. */
export const doorsOf: Readonly<Record<EnvironmentClient, readonly string[]>> = {
  huggingface: ['huggingface'],
  modelscope: ['modelscope'],
  s3: ['s3'],
  vllm: ['huggingface'],
};

/** No variable for a door that is closed. */
export function variablesOf(client: EnvironmentClient, doors: DoorUrls): ReadonlyMap<string, string> {
  const { huggingface, modelscope, s3 } = doors;
  const objects: readonly [string, string | undefined][] = [
    ['AWS_ENDPOINT_URL', s3],
    ['AWS_ENDPOINT_URL_S3', s3],
  ];
  const all: Readonly<Record<EnvironmentClient, readonly [string, string | undefined][]>> = {
    huggingface: [['HF_ENDPOINT', huggingface]],
    modelscope: [['MODELSCOPE_ENDPOINT', modelscope]],
    s3: [...objects, ['FSSPEC_S3_ENDPOINT_URL', s3]],
    vllm: [
      ['HF_ENDPOINT', huggingface],
      ['MODELSCOPE_ENDPOINT', modelscope],
      ...objects,
      ['RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING', s3 && '0'],
      ['AWS_EC2_METADATA_DISABLED', s3 && 'true'],
    ],
  };
  return new Map(all[client].flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

/** @param path file that shells read; in /etc/profile.d by default */
export async function planEnvironment(
  client: EnvironmentClient,
  {
    doors,
    path = `/etc/profile.d/dragonfly-${client}.sh`,
  }: { readonly doors: DoorUrls; readonly path?: string | undefined },
): Promise<SetupPlan> {
  const lines = [...variablesOf(client, doors)].map(([name, value]) => `export ${name}=${value}\n`);
  const after = `# by "dragonfly setup ${client} --apply"\n${lines.join('')}`;
  const before = await readOrUndefined(path);
  return {
    changes: before === after ? [] : [{ path, before, after }],
    afterwards: [
      'Shells that begin from now on have it; services do not read it: set the same variables in their units and manifests.',
    ],
    registries: [],
  };
}
