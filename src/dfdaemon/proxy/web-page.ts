/**
 * Web pages are no programs of the machine on which they are looked at, though their requests come from there. A page of another site says
 * so by `Origin`; one whose name was made to lead here (DNS rebinding) reads what it gets, and is known by that name alone.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** As browsers write it. */
const origin = /^(?:null|[a-z][a-z0-9+.-]*:\/\/\S+)$/i;
/** Names that nobody on the internet can have. */
const privateName = /^[^.]+$|\.(?:localhost|localdomain|local|internal|svc|lan|test|home\.arpa)$/;

export function mayBeWebPage({ headers }: IncomingMessage): boolean {
  const site = headers['sec-fetch-site'];
  if (origin.test(headers.origin ?? '') || site === 'cross-site' || site === 'same-site') return true;
  return headers.host !== undefined && !isOwnName(headers.host);
}

function isOwnName(host: string): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  const name = new URL(`http://${host}`).hostname.replace(/\.$/, '');
  return isIP(name.replace(/^\[|\]$/g, '')) !== 0 || privateName.test(name) || name === hostname().toLowerCase();
}
