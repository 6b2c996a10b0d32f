/** The arguments of jobs as REST accepts them. Empty texts and zeros count as absent, since Harbor sends them. */
import { z } from 'zod';
import { defaultFilteredQueryParams } from '../../core/net/signed-urls.ts';
import { isManifestUrl, manifestUrlOfImage } from '../../core/oci/reference.ts';
import { parseHubUrl } from '../../rpc/registry/model-hub.ts';

export const preheatScopes = ['single_seed_peer', 'all_seed_peers', 'all_peers'] as const;
export type PreheatScope = (typeof preheatScopes)[number];

/** Platform of images when the job names none. */
export const defaultPlatform = 'linux/amd64';

const emptyIsAbsent = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === '' || value === 0 || value === null ? undefined : value), schema.optional());

const minPieceBytes = 4 * 1024 * 1024;
const maxPieceBytes = 64 * 1024 * 1024;
/** Local files of the daemons' machines are not accepted as origins. */
const url = z
  .url()
  .max(8192)
  .refine((text) => !/^(?:file|data|javascript):/i.test(text), 'has a scheme that is no origin');
const header = z.record(
  z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/),
  z
    .string()
    .max(16_384)
    .regex(/^[^\r\n\0]*$/),
);
const text = emptyIsAbsent(z.string().max(1024));
const count = (max: number) => emptyIsAbsent(z.int().min(1).max(max));
/** Nanoseconds. */
const timeout = count(7 * 24 * 3600 * 1e9);

const identity = {
  piece_length: emptyIsAbsent(z.int().min(minPieceBytes).max(maxPieceBytes)),
  tag: text,
  application: text,
  filtered_query_params: emptyIsAbsent(z.string().max(8192)),
};
const registry = {
  headers: header.nullish().transform((value) => value ?? {}),
  username: text,
  password: text,
  platform: emptyIsAbsent(
    z
      .string()
      .max(100)
      .regex(/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9.]+)?$/i),
  ),
};

const storageKeys = z.record(z.string().max(64), z.union([z.string().max(8192), z.boolean()]));

const noManifest = {
  path: ['url'],
  error:
    'names no image, as nginx:1.27 does, and is not the URL of a manifest: https://<registry>/v2/<name>/manifests/<tag>',
};

const noModel = { path: ['url'], error: 'names no repository of a model hub, as hf://owner/name@main does' };

function isModel(text: string): boolean {
  const { repository } = parseHubUrl(text) ?? {};
  return repository !== undefined && !repository.name.includes('*');
}

/** An image by the name that engines take; anything else is left as it is. */
function withManifestUrl(args: unknown): unknown {
  const { url: named } = (args ?? {}) as { url?: unknown };
  if (typeof named !== 'string' || named.includes('://')) return args;
  return { ...(args as object), url: manifestUrlOfImage(named.trim()) ?? named };
}

const preheatFields = z
  .object({
    type: z.enum(['image', 'file', 'model']),
    url: emptyIsAbsent(url),
    urls: z
      .array(url)
      .max(1_000)
      .nullish()
      .transform((value) => value ?? []),
    ...identity,
    ...registry,
    scope: emptyIsAbsent(z.enum(preheatScopes)).transform((value) => value ?? ('single_seed_peer' as const)),
    ips: z
      .array(z.union([z.ipv4(), z.ipv6()]))
      .max(100)
      .nullish()
      .transform((value) => value ?? []),
    count: count(200),
    percentage: count(100),
    concurrent_task_count: count(100),
    concurrent_peer_count: count(1_000),
    timeout,
    /** Whether proxies name registry blobs by URL; by default as the schedulers have observed. */
    blobs_by_url: z.boolean().nullish(),
    object_storage: storageKeys.nullish(),
    hdfs: storageKeys.nullish(),
  })
  .refine((args) => args.url !== undefined || (args.type === 'file' && args.urls.length > 0), 'a URL is needed')
  .refine((args) => args.type !== 'image' || isManifestUrl(args.url ?? ''), noManifest)
  .refine((args) => args.type !== 'model' || isModel(args.url ?? ''), noModel);

export const preheatArgs = z.preprocess(
  (args) => ((args as { type?: unknown } | null)?.type === 'image' ? withManifestUrl(args) : args),
  preheatFields,
);

const taskIdentity = {
  task_id: emptyIsAbsent(z.string().regex(/^[0-9a-f]{64}$/, 'is not a task id')),
  url: emptyIsAbsent(url),
  content_for_calculating_task_id: emptyIsAbsent(z.string().max(65_536)),
  ...identity,
  concurrent_peer_count: count(1_000),
  timeout,
};

export const taskArgs = z
  .object(taskIdentity)
  .refine(
    (args) =>
      args.task_id !== undefined || args.url !== undefined || args.content_for_calculating_task_id !== undefined,
    'task_id, url or content_for_calculating_task_id is needed',
  );

export const distributionArgs = z.preprocess(
  withManifestUrl,
  z
    .object({
      url,
      ...identity,
      ...registry,
      concurrent_layer_count: count(100),
      concurrent_peer_count: count(1_000),
      timeout,
    })
    .refine((args) => isManifestUrl(args.url), noManifest),
);

export const collectArgs = z.object({ type: z.enum(['audit', 'job']) });

export type PreheatArgs = z.output<typeof preheatArgs>;
export type TaskArgs = z.output<typeof taskArgs>;
export type CollectArgs = z.output<typeof collectArgs>;

export const jobTypes = ['preheat', 'get_task', 'delete_task', 'sync_peers', 'get_image_distribution', 'gc'] as const;
export type JobType = (typeof jobTypes)[number];

export const jobArgs = {
  preheat: preheatArgs,
  get_task: taskArgs,
  delete_task: taskArgs,
  get_image_distribution: distributionArgs,
  gc: collectArgs,
  sync_peers: z.object({}),
} as const satisfies Record<JobType, z.ZodType>;

/** `PENDING` covers waiting and running jobs, since existing clients know it. */
export const jobStates = ['PENDING', 'SUCCESS', 'FAILURE', 'CANCELLED'] as const;
export type JobState = (typeof jobStates)[number];

export const taskStates = ['PENDING', 'RUNNING', 'SUCCESS', 'FAILURE'] as const;
export type TaskState = (typeof taskStates)[number];

/** The fields that enter the task id, under the names of core/ids. */
export function identityOf(args: { [K in keyof typeof identity]?: z.output<(typeof identity)[K]> }) {
  return {
    tag: args.tag,
    application: args.application,
    pieceLengthBytes: args.piece_length,
    filteredQueryParams: args.filtered_query_params?.split('&') ?? defaultFilteredQueryParams,
  };
}
