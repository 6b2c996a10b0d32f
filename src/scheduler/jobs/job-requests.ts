/** The requests in the job queue of the original's manager. Go writes `null` for an empty list, and 0 or '' for absent values. */
import { z } from 'zod';
import { Download, Priority } from '../../../gen/common/v2/common.ts';
import { json } from './machinery.ts';

const list = <S extends z.ZodType>(item: S) =>
  z
    .array(item)
    .nullish()
    .transform((items) => items ?? []);
const text = z.string().default('');
const positive = z
  .int()
  .nonnegative()
  .nullish()
  .transform((value) => value || undefined);
const optionalText = z
  .string()
  .nullish()
  .transform((value) => value || undefined);
/** Durations are nanoseconds. */
const timeoutMs = positive.transform((nanoseconds) => (nanoseconds === undefined ? undefined : nanoseconds / 1e6));

const objectStorage = z.object({
  region: optionalText,
  endpoint: optionalText,
  access_key_id: optionalText,
  access_key_secret: optionalText,
  session_token: optionalText,
  credential_path: optionalText,
  predefined_acl: optionalText,
  security_token: optionalText,
  insecure_skip_verify: z.boolean().nullish(),
});

export const preheatRequest = json(
  z.object({
    url: text,
    urls: list(z.string()),
    pieceLength: positive,
    tag: text,
    application: text,
    filtered_query_params: text,
    headers: z
      .record(z.string(), z.string())
      .nullish()
      .transform((headers) => headers ?? {}),
    priority: z.enum(Priority).catch(Priority.LEVEL0),
    scope: text,
    ips: list(z.string()),
    percentage: positive,
    count: positive,
    concurrent_task_count: positive,
    concurrent_peer_count: positive,
    certificate_chain: list(z.base64()),
    timeout: timeoutMs,
    object_storage: objectStorage.nullish(),
    hdfs: z.object({ delegation_token: optionalText }).nullish(),
    output_path: optionalText,
  }),
);

export type QueuedPreheat = z.output<typeof preheatRequest>;

const taskFields = { task_id: z.string().min(1), timeout: timeoutMs, concurrent_peer_count: positive };

/** The request of `get_task` and `delete_task`. */
export const taskRequest = json(z.object(taskFields));

/** @param blobDigestAsId true when the cluster's proxies name blobs of registries by digest. */
export function preheatDownload(request: QueuedPreheat, blobDigestAsId: boolean): Download {
  const { tag, application, pieceLength, object_storage: storage, hdfs } = request;
  return Download.fromPartial({
    ...(tag === '' ? {} : { tag }),
    ...(application === '' ? {} : { application }),
    ...(pieceLength === undefined ? {} : { pieceLength }),
    priority: request.priority,
    filteredQueryParams: request.filtered_query_params.split('&').filter((name) => name !== ''),
    requestHeader: request.headers,
    certificateChain: request.certificate_chain.map((certificate) => Buffer.from(certificate, 'base64')),
    enableTaskIdBasedBlobDigest: blobDigestAsId,
    ...(storage && {
      objectStorage: {
        region: storage.region,
        endpoint: storage.endpoint,
        accessKeyId: storage.access_key_id,
        accessKeySecret: storage.access_key_secret,
        sessionToken: storage.session_token,
        credentialPath: storage.credential_path,
        predefinedAcl: storage.predefined_acl,
        securityToken: storage.security_token,
        insecureSkipVerify: storage.insecure_skip_verify ?? undefined,
      },
    }),
    ...(hdfs && { hdfs: { delegationToken: hdfs.delegation_token } }),
  });
}
