/**
 * podman, CRI-O, skopeo, buildah: one file of our own in registries.conf.d, so that theirs stays unchanged. They do not
 * tell a mirror which registry they mean, so the mirror's path does (`dragonfly.via/<host>[_<port>]`).
 */
import { join } from 'node:path';
import { readOrUndefined } from './journal.ts';
import type { SetupPlan } from './plan.ts';
import type { SetupRegistry } from './registry.ts';

export interface ContainersOptions {
  readonly engine: 'podman' | 'crio';
  readonly proxyUrl: string;
  readonly registries: readonly SetupRegistry[];
  /** registries.conf.d. */
  readonly directory: string;
}

export async function planContainers({
  engine,
  proxyUrl,
  registries,
  directory,
}: ContainersOptions): Promise<SetupPlan> {
  const path = join(directory, '90-dragonfly.conf');
  const before = await readOrUndefined(path);
  const after = registries.map((registry) => registryBlock(registry, new URL(proxyUrl))).join('\n');
  return {
    changes: before === after ? [] : [{ path, before, after }],
    afterwards:
      engine === 'crio' ? ['Let CRI-O read its registries again, without a restart: systemctl reload crio'] : [],
    registries: registries.map(({ url }) => url),
  };
}

function registryBlock({ name, url }: SetupRegistry, proxy: URL): string {
  const { protocol, host } = new URL(url);
  const via = `${protocol === 'http:' ? 'dragonfly.via.http' : 'dragonfly.via'}/${host.replace(':', '_')}`;
  const insecure = protocol === 'http:' ? 'insecure = true\n' : '';
  return `[[registry]]
prefix = "${name}"
location = "${name === 'docker.io' ? 'docker.io' : host}"
${insecure}
[[registry.mirror]]
location = "${proxy.host}/${via}"
insecure = ${proxy.protocol === 'http:'}
`;
}
