/**
 * References of a registry that are relative to itself: redirects, upload locations, further pages. At the mirror they
 * would mean the configured registry, because the client does not repeat in them which one it has named. Pure.
 */
import { pairs, type HeaderLines } from '../wire/header.ts';

/** How a client has named the registry to the mirror. */
export interface MirrorNaming {
  /** Of the registry. */
  readonly origin: string;
  /** Path below which the registry lies, without a slash at its end. */
  readonly prefix: string;
  /** Value of containerd's `ns`, as it was written. */
  readonly namespace: string | undefined;
  /** `/v2/dragonfly.via…/host`, in place of `/v2`. */
  readonly viaPath: string | undefined;
}

const absolute = /^(?:[a-z][a-z0-9+.-]*:|\/\/)/i;

/** An answer's header whose relative references lead to the same registry: by the mirror, or straight where it has no name there. */
export function throughMirror(lines: HeaderLines, naming: MirrorNaming): string[] {
  return [...pairs(lines)].flatMap(([name, value]) => {
    const lower = name.toLowerCase();
    if (lower === 'location') return [name, referenceOf(value, naming)];
    if (lower !== 'link') return [name, value];
    return [name, value.replaceAll(/<([^<>]*)>/g, (_, reference: string) => `<${referenceOf(reference, naming)}>`)];
  });
}

function referenceOf(reference: string, { origin, prefix, namespace, viaPath }: MirrorNaming): string {
  if (absolute.test(reference)) return reference;
  let path = reference;
  if (path.startsWith('/')) {
    if (prefix !== '' && !path.startsWith(`${prefix}/`)) return `${origin}${reference}`;
    path = path.slice(prefix.length);
    if (viaPath !== undefined && !path.startsWith('/v2/')) return `${origin}${reference}`;
    if (viaPath !== undefined) path = `${viaPath}${path.slice('/v2'.length)}`;
  }
  return namespace === undefined ? path : withNamespace(path, namespace);
}

function withNamespace(path: string, namespace: string): string {
  const [written = '', ...fragment] = path.split('#');
  const query = `${written.includes('?') ? '&' : '?'}ns=${namespace}`;
  return [`${written}${query}`, ...fragment].join('#');
}
