/** The flags of dfstore that say how to reach an object store. */
import { ObjectStorage } from '../../../gen/common/v2/common.ts';
import { DragonflyError } from '../../core/errors.ts';
import { persistentTaskId } from '../../core/ids.ts';
import type { CommonFlags } from '../dfcache/flags.ts';
import type { Verb } from '../verb.ts';

export interface StorageFlags extends CommonFlags {
  readonly storageRegion?: string;
  readonly storageEndpoint?: string;
  readonly storageAccessKeyId?: string;
  readonly storageAccessKeySecret?: string;
  readonly storageSecurityToken?: string;
  readonly storageInsecureSkipVerify?: string | boolean;
  readonly storageSessionToken?: string;
  readonly storageCredentialPath?: string;
  readonly storagePredefinedAcl?: string;
}

export function withStorage(verb: Verb): Verb {
  return verb
    .flag('--storage-region <name>', 'of the store, for example us-east-1; a part of the name')
    .flag('--storage-endpoint <url>', 'of the store, for example https://s3.amazonaws.com; a part of the name')
    .flag('--storage-access-key-id <id>', 'key the store is shown')
    .flag('--storage-access-key-secret <secret>', 'its secret; better given by the environment')
    .flag('--storage-security-token <token>', 'of keys that are lent')
    .flag('--storage-insecure-skip-verify [yes]', 'take any certificate of the store')
    .flag('--storage-session-token <token>', 'of keys that are lent')
    .flag('--storage-credential-path <path>', 'file with credentials of Google Cloud Storage, to read')
    .flag('--storage-predefined-acl <name>', 'without effect: objects have the rights that their bucket gives them');
}

/** The name of a persistent task. */
export interface ObjectName {
  readonly url: string;
  readonly objectStorage: ObjectStorage;
  readonly taskId: string;
}

/** Throws INVALID_ARGUMENT. */
export function objectName(url: string, flags: StorageFlags): ObjectName {
  if (!isObjectUrl(url))
    throw new DragonflyError('INVALID_ARGUMENT', `"${url}" is not the URL of an object`, {
      hint: 'Write it as s3://bucket/key.',
    });
  const { storageRegion: region, storageEndpoint: endpoint } = flags;
  if (!region || !endpoint)
    throw new DragonflyError('INVALID_ARGUMENT', `the ${region ? 'endpoint' : 'region'} of the store is missing`, {
      hint: 'Give --storage-region and --storage-endpoint: they are a part of the name.',
    });
  const unverified = flags.storageInsecureSkipVerify;
  const objectStorage = ObjectStorage.fromPartial({
    region,
    endpoint,
    ...given('accessKeyId', flags.storageAccessKeyId),
    ...given('accessKeySecret', flags.storageAccessKeySecret),
    ...given('securityToken', flags.storageSecurityToken),
    ...given('sessionToken', flags.storageSessionToken),
    ...given('credentialPath', flags.storageCredentialPath),
    ...((unverified === true || unverified === 'true') && { insecureSkipVerify: true }),
  });
  const { href } = new URL(url); // normalised like in the original
  return { url: href, objectStorage, taskId: persistentTaskId({ url: href, region, endpoint }) };
}

export function isObjectUrl(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\/./i.test(text) && URL.canParse(text);
}

function given(name: keyof ObjectStorage, value: string | undefined): Partial<ObjectStorage> {
  return value ? { [name]: value } : {};
}
