/** Credentials for an object store that dfget's caller has, found in the places where that store's SDKs look; flags come first. */
import type { CommandIo } from '../../core/process/command.ts';
import type { DfgetOptions } from './options.ts';

const stores = /^(s3|gs|abs|oss|obs|cos|tos|ks3):/;
const noProxies = { http: undefined, https: undefined, noProxy: undefined };

export async function withOwnCredentials(
  options: DfgetOptions,
  { env }: Pick<CommandIo, 'env'>,
): Promise<DfgetOptions> {
  const scheme = stores.exec(options.url)?.[1];
  const given = options.objectStorage ?? {};
  if (scheme === undefined || bringsCredentials(options, given)) return options;
  // Loaded only for these URLs, because it takes half of the time that an ordinary download needs to begin.
  const { credentialFinder } = await import('../../core/credentials/own-credentials.ts');
  const { OutboundProxies, withProxyEnvironment } = await import('../../core/net/outbound-proxy.ts');
  const proxies = new OutboundProxies(withProxyEnvironment(noProxies, env));
  const found = await credentialFinder({ env, proxies })(scheme);
  const { authorization, ...keys } = found ?? {};
  const all = { ...(scheme === 's3' && placeOf(env)), ...keys };
  const own = Object.fromEntries(Object.entries(all).filter((pair): pair is [string, string] => Boolean(pair[1])));
  const objectStorage = { ...own, ...given };
  return {
    ...options,
    ...(Object.keys(objectStorage).length > 0 && { objectStorage }),
    ...(authorization !== undefined && { header: { ...options.header, authorization } }),
  };
}

function bringsCredentials({ header }: DfgetOptions, given: NonNullable<DfgetOptions['objectStorage']>): boolean {
  const keys = ['accessKeyId', 'sessionToken', 'securityToken', 'credentialPath'];
  return (
    keys.some((key) => given[key] !== undefined) ||
    Object.keys(header).some((name) => name.toLowerCase() === 'authorization')
  );
}

function placeOf(env: CommandIo['env']): Record<string, string | undefined> {
  return {
    region: env['AWS_REGION'] || env['AWS_DEFAULT_REGION'],
    endpoint: env['AWS_ENDPOINT_URL_S3'] || env['AWS_ENDPOINT_URL'],
  };
}
