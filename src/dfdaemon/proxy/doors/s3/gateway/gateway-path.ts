/** Reads what a request to the gateway is about from its method and path. Pure. */
import { encodePath } from '../../../../source/sigv4.ts';

export type GatewayTarget =
  | { readonly kind: 'healthy' }
  | { readonly kind: 'metadata' }
  | { readonly kind: 'bucket'; readonly bucket: string }
  | { readonly kind: 'list'; readonly bucket: string }
  | { readonly kind: 'object'; readonly bucket: string; readonly key: string };

/** Undefined when the path is not one of the gateway's. */
export function gatewayTarget(path: string): GatewayTarget | undefined {
  if (path === '/healthy') return { kind: 'healthy' };
  if (path === '/metadata') return { kind: 'metadata' };
  const [, bucket = '', rest = ''] = /^\/buckets\/([^/]+)(.*)$/s.exec(path) ?? [];
  if (bucket === '') return undefined;
  const name = decoded(bucket);
  if (name === undefined) return undefined;
  if (rest === '' || rest === '/') return { kind: 'bucket', bucket: name };
  if (rest === '/metadatas') return { kind: 'list', bucket: name };
  const key = rest.startsWith('/objects/') ? decoded(rest.slice('/objects/'.length)) : undefined;
  return key === undefined || key === '' || !isPlain(key) ? undefined : { kind: 'object', bucket: name, key };
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** A store on a file system could resolve dot segments to another key. */
function isPlain(key: string): boolean {
  const path = encodePath(`/${key}`);
  return new URL(`http://store${path}`).pathname === path;
}
