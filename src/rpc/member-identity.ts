/** What a certificate of this cluster says of its holder besides names and addresses: one URI among its alternative names. */
import type { MemberRole } from './server/caller.ts';

export interface MemberIdentity {
  readonly role: MemberRole;
  /** Host id of the protocol for daemons, `ip-hostname` of others. */
  readonly hostId: string;
  /** The scheduler or seed peer cluster that it belongs to; 0 for none. */
  readonly clusterId: number;
}

const roles: readonly MemberRole[] = ['peer', 'seed', 'scheduler', 'manager'];

export function identityUri({ role, hostId, clusterId }: MemberIdentity): string {
  return `dragonfly://member/${role}/${clusterId}/${encoded(hostId)}`;
}

/** Undefined when the text is not such a URI. */
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

/** Encodes everything that Node or OpenSSL would quote when printing the names of a certificate. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

/**
 * @param subjectAltName in Node's form: `URI:…, DNS:…, IP Address:…`; values with a comma or quote are quoted, ours
 * contain none. Undefined when there is no identity, or more than one.
 */
export function identityOf(subjectAltName: string | undefined): MemberIdentity | undefined {
  const uris = (subjectAltName ?? '').split(', ').flatMap((name) => (name.startsWith('URI:') ? [name.slice(4)] : []));
  const found = uris.flatMap((uri) => parseIdentityUri(uri) ?? []);
  return found.length === 1 ? found[0] : undefined;
}
