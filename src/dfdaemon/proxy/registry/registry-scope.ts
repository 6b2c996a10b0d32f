/** The scope of a registry's answer about access rights: one repository. */
import type { RegistryPath } from './registry-path.ts';

export function registryScope(url: URL, path: RegistryPath): string {
  return `${url.origin}/${path.repository}`;
}
