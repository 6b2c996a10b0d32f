/** Environment variables in which SDKs of other S3-compatible stores look for keys, and the metadata service of Alibaba's machines. */
import { askService, metadataTimeoutMs } from './token-endpoint.ts';
import type { StorageCredentials } from './aws.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface Names {
  readonly id: readonly string[];
  readonly secret: readonly string[];
  readonly token: readonly string[];
}

const variables: Readonly<Record<string, Names>> = {
  oss: {
    id: ['OSS_ACCESS_KEY_ID', 'ALIBABA_CLOUD_ACCESS_KEY_ID', 'ALIYUN_ACCESS_KEY_ID'],
    secret: ['OSS_ACCESS_KEY_SECRET', 'ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'ALIYUN_ACCESS_KEY_SECRET'],
    token: ['OSS_SESSION_TOKEN', 'ALIBABA_CLOUD_SECURITY_TOKEN'],
  },
  obs: {
    id: ['OBS_ACCESS_KEY_ID', 'HUAWEICLOUD_SDK_AK'],
    secret: ['OBS_SECRET_ACCESS_KEY', 'HUAWEICLOUD_SDK_SK'],
    token: ['OBS_SECURITY_TOKEN', 'HUAWEICLOUD_SDK_SECURITY_TOKEN'],
  },
  cos: {
    id: ['TENCENTCLOUD_SECRET_ID', 'COS_SECRET_ID'],
    secret: ['TENCENTCLOUD_SECRET_KEY', 'COS_SECRET_KEY'],
    token: ['TENCENTCLOUD_SESSION_TOKEN', 'TENCENTCLOUD_SECURITY_TOKEN', 'TENCENTCLOUD_TOKEN'],
  },
  tos: {
    id: ['TOS_ACCESS_KEY', 'VOLCENGINE_ACCESS_KEY'],
    secret: ['TOS_SECRET_KEY', 'VOLCENGINE_SECRET_KEY'],
    token: ['TOS_SECURITY_TOKEN', 'VOLCENGINE_SESSION_TOKEN'],
  },
  ks3: { id: ['KS3_ACCESS_KEY_ID'], secret: ['KS3_ACCESS_KEY_SECRET'], token: ['KS3_SECURITY_TOKEN'] },
  gs: { id: ['GS_ACCESS_KEY_ID'], secret: ['GS_SECRET_ACCESS_KEY'], token: [] },
};

export async function environmentKeys(scheme: string, env: Environment): Promise<StorageCredentials | undefined> {
  const names = variables[scheme];
  if (!names) return undefined;
  const first = (list: readonly string[]): string | undefined => list.map((name) => env[name]).find(Boolean);
  const [accessKeyId, accessKeySecret] = [first(names.id), first(names.secret)];
  if (accessKeyId !== undefined && accessKeySecret !== undefined) {
    return { accessKeyId, accessKeySecret, sessionToken: first(names.token) };
  }
  return scheme === 'oss' ? fromMachine(env) : undefined;
}

/** Credentials of the role that an Alibaba Cloud instance has. */
async function fromMachine(env: Environment): Promise<StorageCredentials | undefined> {
  if (env['ALIBABA_CLOUD_ECS_METADATA_DISABLED'] === 'true') return undefined;
  const base = `http://${env['ALIBABA_CLOUD_ECS_METADATA_HOST'] ?? '100.100.100.200'}/latest`;
  const ask = (path: string, header = {}, method: 'GET' | 'PUT' = 'GET'): Promise<string | undefined> =>
    askService({ url: `${base}/${path}`, method, header, timeoutMs: metadataTimeoutMs }).catch(() => undefined);
  const pass = await ask('api/token', { 'x-aliyun-ecs-metadata-token-ttl-seconds': '300' }, 'PUT');
  if (pass === undefined) return undefined;
  const header = { 'x-aliyun-ecs-metadata-token': pass };
  const roles = 'meta-data/ram/security-credentials/';
  const role = env['ALIBABA_CLOUD_ECS_METADATA'] ?? (await ask(roles, header))?.trim();
  const text = role && (await ask(`${roles}${encodeURIComponent(role)}`, header));
  if (!text) return undefined;
  const { AccessKeyId, AccessKeySecret, SecurityToken } = JSON.parse(text) as Record<string, string | undefined>;
  if (AccessKeyId === undefined || AccessKeySecret === undefined) return undefined;
  return { accessKeyId: AccessKeyId, accessKeySecret: AccessKeySecret, sessionToken: SecurityToken };
}
