/** Where an answer of a registry about somebody's rights counts: in one repository. */
import type { RegistryPath } from './registry-path.ts';

export function registryScope(url: URL, path: RegistryPath): string {
  return `${url.origin}/${path.repository}`;
}
