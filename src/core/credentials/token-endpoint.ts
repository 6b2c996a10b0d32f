/** Requests to a token or metadata service: small JSON answers, in bounded time, through the company's proxy where there is one. */
import type * as Undici from 'undici';
import { DragonflyError } from '../errors.ts';
import { proxyUrl, type OutboundProxies } from '../net/outbound-proxy.ts';

export interface TokenRequest {
  readonly url: string;
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly header?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** Absent for services that are reached directly, such as those of the machine itself. */
  readonly proxies?: OutboundProxies | undefined;
  readonly timeoutMs?: number;
}

const answerTimeoutMs = 10_000;
/** A metadata service is either near or absent. */
export const metadataTimeoutMs = 1000;

/** Undefined when nobody answers there. Throws UNAUTHENTICATED when the service refuses. */
export async function askService(request: TokenRequest): Promise<string | undefined> {
  const { url, method = 'GET', header = {}, form, json, proxies, timeoutMs = answerTimeoutMs } = request;
  const undici = await import('undici');
  const dispatcher = agentFor(undici, new URL(url), proxies);
  try {
    const body = form ? new URLSearchParams(form).toString() : json === undefined ? null : JSON.stringify(json);
    const type = form ? 'application/x-www-form-urlencoded' : 'application/json';
    const response = await undici.request(url, {
      method,
      headers: { ...header, ...(body !== null && { 'content-type': type }) },
      body,
      dispatcher,
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.body.text();
    if (response.statusCode < 300) return text;
    throw new DragonflyError(
      'UNAUTHENTICATED',
      `${new URL(url).host} gives no token: it answers ${response.statusCode}${reasonIn(text)}`,
      { hint: 'Check the credentials of this program: their file, variables, or role.' },
    );
  } catch (error) {
    if (error instanceof DragonflyError) throw error;
    return undefined;
  } finally {
    await dispatcher.destroy();
  }
}

function agentFor({ Agent, ProxyAgent }: typeof Undici, url: URL, proxies?: OutboundProxies): Undici.Dispatcher {
  const hop = proxies?.for(url);
  if (!hop) return new Agent();
  return new ProxyAgent({ uri: proxyUrl(hop), ...(hop.authorization !== undefined && { token: hop.authorization }) });
}

/** The reason in OAuth's form; nothing else of the answer is shown. */
function reasonIn(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    return typeof error === 'string' && /^[\w .-]{1,80}$/.test(error) ? `, ${error}` : '';
  } catch {
    return '';
  }
}

/** A token and its expiry. */
export interface Token {
  readonly value: string;
  readonly untilMs: number;
}

const renewBeforeMs = 120_000;

/** Asks again only shortly before the last token expires; concurrent callers share one request. */
export function remembered(ask: () => Promise<Token | undefined>): () => Promise<string | undefined> {
  let known: Token | undefined;
  let asking: Promise<Token | undefined> | undefined;
  return async () => {
    if (known && Date.now() < known.untilMs - renewBeforeMs) return known.value;
    asking ??= ask().finally(() => (asking = undefined));
    known = await asking;
    return known?.value;
  };
}

/** Parses the answer of an OAuth token service. Throws PROTOCOL. */
export function tokenOf(text: string): Token {
  let answer: { access_token?: unknown; accessToken?: unknown; expires_in?: unknown; expireTime?: unknown } = {};
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    // reported below
  }
  const value = answer.access_token ?? answer.accessToken;
  if (typeof value !== 'string') throw new DragonflyError('PROTOCOL', 'a token service answers without a token');
  const until = typeof answer.expireTime === 'string' ? Date.parse(answer.expireTime) : Number.NaN;
  const seconds = Number(answer.expires_in ?? 300);
  return { value, untilMs: Number.isNaN(until) ? Date.now() + seconds * 1000 : until };
}
