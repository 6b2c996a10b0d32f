/** Asks the origin whether this caller may read what the peers hold, unless that is known. */
import { DragonflyError } from '../../core/errors.ts';
import type { SourceObject, SourceRequest } from '../source/source.ts';
import { callerKey } from './caller.ts';
import type { Exchange } from './exchange.ts';
import { downloadHeader } from './header.ts';
import { proxyLimits } from './limits.ts';
import { registryScope } from './manifests.ts';
import type { OriginAccess } from './origin-access.ts';
import { learnRefusal } from './refusal.ts';
import { registryPath } from './registry-path.ts';
import { toldBlob, type ToldBlob } from './told-blob.ts';
import type { Upstream } from './upstream.ts';

export interface PermissionOptions {
  readonly access: OriginAccess;
  readonly upstream: Upstream;
  readonly sources: { stat(request: SourceRequest): Promise<SourceObject> };
}

export interface Permission {
  /** Of what the origin has now, if it was asked and told. */
  readonly validator: string | undefined;
  /** If the registry was asked for this request, and told. */
  readonly blob: ToldBlob | undefined;
}

/** Errors: those of OriginAccess.require. */
export async function permissionFor(exchange: Exchange, options: PermissionOptions): Promise<Permission> {
  const { url, header } = exchange;
  const { access, upstream, sources } = options;
  const caller = callerKey(header);
  const path = registryPath(url.pathname);
  if (path?.kind === 'blob') {
    let blob: ToldBlob | undefined;
    const scope = registryScope(url, path);
    const ask = async (): Promise<undefined> => {
      blob = await askRegistry(exchange, upstream);
      learnRefusal(exchange, scope, options);
    };
    const validator = await access.require({ scope, object: path.reference, caller, ask });
    return { validator, blob };
  }
  const ask = (): Promise<string | undefined> => askOrigin(exchange, sources);
  const validator = await access.require({ scope: url.origin, object: url.href, caller, ask });
  return { validator, blob: undefined };
}

/** A registry that redirects to where the blob lies has accepted the caller. A blob named by digest has no validator. */
async function askRegistry(exchange: Exchange, upstream: Upstream): Promise<ToldBlob | undefined> {
  const { url, header, trust, loopbackAllowed } = exchange;
  const signal = AbortSignal.timeout(proxyLimits.probeTimeoutMs);
  const request = { method: 'HEAD', url, header: downloadHeader(header), trust, loopbackAllowed, signal };
  const message = await upstream.send(request);
  message.resume();
  const { statusCode = 502 } = message;
  if (statusCode < 400) return toldBlob(message);
  const answered = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const);
  throw new DragonflyError('SOURCE_STATUS', `the registry answered ${statusCode} for ${url.origin}${url.pathname}`, {
    details: { statusCode, header: Object.fromEntries(answered) },
  });
}

/** Any other origin may redirect to a page that asks for a login: only the end of the way tells. */
async function askOrigin(
  { caller, url, header, trust }: Exchange,
  sources: PermissionOptions['sources'],
): Promise<string | undefined> {
  const signal = AbortSignal.timeout(proxyLimits.probeTimeoutMs);
  const object = await sources.stat({ ...trust, caller, url: url.href, header: downloadHeader(header), signal });
  return object.validator;
}
