/** Where a request goes: parsed as a URL, and as the client wrote it, for the origin. */
import type { IncomingMessage } from 'node:http';
import { DragonflyError } from '../../../core/errors.ts';
import type { MirrorNaming } from '../registry/mirror-naming.ts';
import { mirrorTarget, type MirrorRights } from '../registry/mirror-target.ts';

export interface RequestTarget {
  readonly url: URL;
  /** Path and query, byte for byte. */
  readonly target: string;
  /** Value of Host. */
  readonly authority: string;
  /** Of a request to the mirror whose registry's relative references mean another one there. */
  readonly naming?: MirrorNaming | undefined;
}

export interface TargetOptions {
  /** Value of X-Dragonfly-Registry. */
  readonly registry: string | undefined;
  readonly mirror: MirrorRights;
  /** Host and port of the intercepted tunnel. */
  readonly tunnel: { readonly host: string; readonly port: number } | undefined;
}

/** Throws INVALID_ARGUMENT for a request that names no origin. */
export function requestTarget(
  { url: text = '', method, headers }: IncomingMessage,
  { registry, mirror, tunnel }: TargetOptions,
): RequestTarget {
  if (tunnel) {
    const host = tunnel.host.includes(':') ? `[${tunnel.host}]` : tunnel.host;
    const base = new URL(`https://${host}:${tunnel.port}`);
    const target = /^(\/|\*$)/.test(text) ? text : splitUrl(text, method).target;
    const url = new URL(target === '*' ? base : `${base.origin}${target}`);
    return { url, target, authority: headers.host ?? String(headers[':authority'] ?? base.host) };
  }
  if (text.startsWith('/')) {
    const { url, target, naming } = mirrorTarget(text, registry, mirror);
    return { url, target, authority: url.host, naming };
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw noUrl();
  const { authority, target } = splitUrl(text, method);
  url.username = '';
  url.password = '';
  url.hash = '';
  return { url, target, authority: namesHost(authority, url) ? authority : url.host };
}

/** The same request for another URL, as a rule rewrites it: parts that the rule did not change stay as they were written. */
export function retargeted<T extends RequestTarget>(before: T, url: URL): T {
  const samePath = pathAndQuery(url) === pathAndQuery(before.url);
  return {
    ...before,
    url,
    target: samePath ? before.target : pathAndQuery(url),
    authority: url.host === before.url.host ? before.authority : url.host,
  };
}

/** Whether the URL is exactly what the client wrote, so that a question or a download by it concerns the same thing. */
export function isExact({ url, target, authority }: RequestTarget): boolean {
  return pathAndQuery(url) === target && namesHost(authority, url);
}

/** Like isExact, but tolerates `.` segments: apt writes one for each file of a flat repository, and servers ignore them. */
export function isEquivalent(target: RequestTarget): boolean {
  const [path = ''] = target.target.split('?', 1);
  const plain = path.replace(/\/(?:\.\/)+/g, '/');
  return isExact({ ...target, target: plain + target.target.slice(path.length) });
}

function pathAndQuery(url: URL): string {
  return url.pathname + url.search;
}

/** Splits as RFC 9112 §3.2.2 says: what follows the authority is the target; an empty one is `/`, or `*` for OPTIONS. */
function splitUrl(text: string, method: string | undefined): { authority: string; target: string } {
  const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)(.*)$/is.exec(text);
  if (!match) throw noUrl();
  const [, userAndHost = '', rest = ''] = match;
  const authority = userAndHost.slice(userAndHost.lastIndexOf('@') + 1);
  if (rest === '') return { authority, target: method === 'OPTIONS' ? '*' : '/' };
  return { authority, target: rest.startsWith('/') ? rest : `/${rest}` };
}

/** Some clients omit a port although it is not the default one. */
function namesHost(authority: string, { host, hostname, protocol }: URL): boolean {
  const written = authority.toLowerCase();
  return [host, hostname, `${host}:${protocol === 'https:' ? 443 : 80}`].includes(written);
}

function noUrl(): DragonflyError {
  return new DragonflyError('INVALID_ARGUMENT', 'the request names no http or https URL', {
    hint: 'Send a path to use this as a mirror, or a whole URL to use it as a proxy.',
  });
}
