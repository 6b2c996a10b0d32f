/**
 * Clients that read the address from environment variables: which ones they read, and a file by which every shell of
 * this machine sets them. Services have an environment of their own and can read the same file (`EnvironmentFile=`,
 * without its `export`s).
 */
import { readOrUndefined } from './journal.ts';
import type { SetupPlan } from './plan.ts';

export const environmentClients = ['huggingface', 'modelscope', 's3', 'vllm'] as const;
export type EnvironmentClient = (typeof environmentClients)[number];

/** The URLs of the open doors, by the names that the daemon uses at `/.well-known/dragonfly`. */
export type DoorUrls = Readonly<Partial<Record<string, string>>>;

/** The doors' addresses with the daemon's defaults. */
export function usualDoors(proxyUrl: string): DoorUrls {
  const { hostname } = new URL(proxyUrl);
  return { huggingface: `${proxyUrl}/hf`, modelscope: `${proxyUrl}/ms`, s3: `http://${hostname}:65004` };
}

/** The doors that a client requires. */
export const doorsOf: Readonly<Record<EnvironmentClient, readonly string[]>> = {
  huggingface: ['huggingface'],
  modelscope: ['modelscope'],
  s3: ['s3'],
  vllm: ['huggingface'],
};

/** A closed door gets no variable. */
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

/** @param path file that shells read; by default in /etc/profile.d */
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
