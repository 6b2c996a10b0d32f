/** What the caller of dfget has of credentials for s3://, found as the SDKs of AWS do; flags come first. */
import { credentialChain } from '../../core/aws-credentials.ts';
import type { CommandIo } from '../../core/command.ts';
import type { DfgetOptions } from './options.ts';

export async function withOwnCredentials(
  options: DfgetOptions,
  { env }: Pick<CommandIo, 'env'>,
): Promise<DfgetOptions> {
  const given = options.objectStorage ?? {};
  if (!options.url.startsWith('s3:') || given['accessKeyId'] !== undefined) return options;
  const credentials = await credentialChain()();
  const region = env['AWS_REGION'] || env['AWS_DEFAULT_REGION'];
  const endpoint = env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'];
  const found = {
    ...(region && { region }),
    ...(endpoint && { endpoint }),
    ...(credentials && { accessKeyId: credentials.accessKeyId, accessKeySecret: credentials.accessKeySecret }),
    ...(credentials?.sessionToken !== undefined && { sessionToken: credentials.sessionToken }),
  };
  const objectStorage = { ...found, ...given };
  return Object.keys(objectStorage).length === 0 ? options : { ...options, objectStorage };
}
