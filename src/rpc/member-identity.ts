/** What a certificate of this cluster says of its holder, beside names and addresses: one URI among its alternative names. */
import type { MemberRole } from './server/caller.ts';

export interface MemberIdentity {
  readonly role: MemberRole;
  /** Host id of the protocol for daemons, `ip-hostname` of others. */
  readonly hostId: string;
  /** Of the scheduler or seed peer cluster it belongs to; 0 where it names none. */
  readonly clusterId: number;
}

const roles: readonly MemberRole[] = ['peer', 'seed', 'scheduler', 'manager'];

export function identityUri({ role, hostId, clusterId }: MemberIdentity): string {
  return `dragonfly://member/${role}/${clusterId}/${encoded(hostId)}`;
}

/** Undefined when the text is no such URI. */
export function parseIdentityUri(uri: string): MemberIdentity | undefined {
  const match = /^dragonfly:\/\/member\/([a-z]+)\/(\d{1,15})\/([\w.~%-]{1,1024})$/.exec(uri);
  const role = roles.find((known) => known === match?.[1]);
  if (!match || role === undefined) return undefined;
  try {
    return { role, clusterId: Number(match[2]), hostId: decodeURIComponent(match[3] ?? '') };
  } catch {
    return undefined;
  }
}

/** Nothing that Node or OpenSSL would put in quotes where they print the names of a certificate. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * @param subjectAltName as Node writes it: `URI:…, DNS:…, IP Address:…`; a value with a comma or a quote in it is quoted, ours has none.
 * Undefined when there is no identity, or more than one.
 */
export function identityOf(subjectAltName: string | undefined): MemberIdentity | undefined {
  const uris = (subjectAltName ?? '').split(', ').flatMap((name) => (name.startsWith('URI:') ? [name.slice(4)] : []));
  const found = uris.flatMap((uri) => parseIdentityUri(uri) ?? []);
  return found.length === 1 ? found[0] : undefined;
}
