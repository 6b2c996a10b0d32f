/**
 * Learns what a registry tells anonymous callers while it is up, so that a node which has only seen authorised callers
 * can repeat the registry's refusal while it is down.
 */
import { callerKey, withoutCredentials } from './caller.ts';
import type { ClientCall } from '../client-call.ts';
import { downloadHeader } from '../wire/header.ts';
import { proxyLimits } from '../limits.ts';
import type { Challenge, OriginAccess } from './origin-access.ts';
import type { Upstream } from '../wire/upstream.ts';

/** Call when the registry has accepted the caller. */
export function learnRefusal(
  call: ClientCall,
  scope: string,
  { access, upstream }: { readonly access: OriginAccess; readonly upstream: Upstream },
): void {
  if (callerKey(call.header) === '') return; // it accepts strangers
  access.learnRefusal(scope, () => askAsStranger(call, upstream));
}

async function askAsStranger(
  { url, header, trust, loopbackAllowed }: ClientCall,
  upstream: Upstream,
): Promise<Challenge> {
  const message = await upstream.send({
    method: 'HEAD',
    url,
    header: withoutCredentials(downloadHeader(header)),
    trust,
    loopbackAllowed,
    signal: AbortSignal.timeout(proxyLimits.probeTimeoutMs),
  });
  message.resume();
  const answered = Object.entries(message.headers).map(([name, value]) => [name, String(value)] as const);
  return { statusCode: message.statusCode ?? 502, header: Object.fromEntries(answered) };
}
