/** What a rule may name as its source, and as the registry to which tags are pushed. */
import { DragonflyError } from '../../core/errors.ts';
import {
  isRepositoryName,
  parseRegistryPlace,
  parseRepositoryPattern,
  type RepositoryPattern,
} from '../../core/oci/reference.ts';
import { matchesGlob } from './glob.ts';
import { tagPatternsOf, type RuleRow } from './rule-row.ts';
import type { NamedTag } from './tag-source.ts';
import { namesHost } from '../../rpc/registry/insecure-hosts.ts';
import { hubPath, parseHubUrl, type HubRepositoryName } from '../../rpc/registry/model-hub.ts';

export type RuleSource =
  | { readonly kind: 'registry'; readonly pattern: RepositoryPattern }
  | { readonly kind: 'hub'; readonly pattern: HubRepositoryName };

/** `registry.example/team/*` or `hf://owner/name`; undefined when the text is neither. */
export function parseRuleSource(text: string): RuleSource | undefined {
  const hub = parseHubUrl(text);
  if (hub) return hub.revision === undefined ? { kind: 'hub', pattern: hub.repository } : undefined;
  const pattern = parseRepositoryPattern(text);
  return pattern && { kind: 'registry', pattern };
}

/** Where its login goes; what is proven of one says nothing of another. */
export function originOfSource(text: string): string | undefined {
  const source = parseRuleSource(text);
  return source?.kind === 'hub' ? 'hf:' : source?.pattern.registry;
}

/** Whether a tag is one of those that a rule asks for. */
export function covers(rule: Pick<RuleRow, 'source' | 'tags'>, { repository, tag }: NamedTag): boolean {
  const source = parseRuleSource(rule.source);
  const name = source?.kind === 'hub' ? hubPath(source.pattern) : (source?.pattern.name ?? '');
  return matchesGlob(name, repository) && tagPatternsOf(rule).some((pattern) => matchesGlob(pattern, tag));
}

export function originOfTarget(text: string): string | undefined {
  return parseRegistryPlace(text)?.registry;
}

/** Whether both are the same place of the same registry. */
export function isSamePlace(target: string, other: string): boolean {
  const [one, two] = [parseRegistryPlace(target), parseRegistryPlace(other)];
  return one?.registry === two?.registry && one?.name === two?.name;
}

/**
 * Throws INVALID_ARGUMENT for a target that cannot be: nothing travels in the open, unless the operator allows that for the host.
 * @param insecureHosts of the configuration: host or host:port.
 */
export function requireTarget(
  { source, target }: { readonly source: string; readonly target: string },
  insecureHosts: readonly string[],
): void {
  if (target === '') return;
  const place = parseRegistryPlace(target);
  if (!place) throw new DragonflyError('INVALID_ARGUMENT', `"${target}" is no registry, as in registry.example/mirror`);
  const from = parseRuleSource(source);
  if (from?.kind !== 'registry')
    throw new DragonflyError('INVALID_ARGUMENT', 'models cannot be pushed to a registry', {
      hint: 'Name clusters, or a source that is a registry.',
    });
  if (isWithin(place, from.pattern))
    throw new DragonflyError('INVALID_ARGUMENT', `${target} lies in what the rule covers`);
  const url = new URL(place.registry);
  if (url.protocol === 'https:' || namesHost(insecureHosts, url)) return;
  throw new DragonflyError('INVALID_ARGUMENT', `nothing is pushed to ${place.registry}, which is not encrypted`, {
    hint: 'Add the host to job.preheat.insecureHosts of the manager if that is meant.',
  });
}

/** What is pushed would be found by the rule again, deeper and deeper; with TLS and without, it is one registry. */
function isWithin(place: RepositoryPattern, from: RepositoryPattern): boolean {
  const pushed = `${place.name === '' ? '' : `${place.name}/`}${from.name.replaceAll('*', 'a')}`;
  return new URL(from.registry).host === new URL(place.registry).host && matchesGlob(from.name, pushed);
}

/** The repository of the target for one of the source. Throws INVALID_ARGUMENT when its name gets too long. */
export function targetRepository(target: string, repository: string): { registry: string; name: string } {
  const place = parseRegistryPlace(target);
  const name = place && place.name !== '' ? `${place.name}/${repository}` : repository;
  if (place && isRepositoryName(name)) return { registry: place.registry, name };
  throw new DragonflyError('INVALID_ARGUMENT', `${target} cannot hold ${repository}`);
}
