/**
 * The outbound proxy of the company's network: which proxy a URL has to use, if any.
 *
 * Names and rules are those of curl and of Go programs: HTTP_PROXY and HTTPS_PROXY by the target's scheme, NO_PROXY a
 * list of names (including subdomains), addresses and networks. Loopback never uses a proxy.
 */
import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import { section } from '../config/config.ts';
import { DragonflyError } from '../errors.ts';
import { bracketed, hostPort } from './host-port.ts';
import { namesLoopback } from './own-address.ts';

export const outboundProxyConfig = section({
  http: z
    .string()
    .optional()
    .describe('proxy for plain http, `http://user:password@host:port`; HTTP_PROXY in the environment'),
  https: z.string().optional().describe('proxy for https; HTTPS_PROXY in the environment'),
  noProxy: z
    .array(z.string())
    .optional()
    .describe('names, addresses and networks that are reached directly, `*` for all; NO_PROXY in the environment'),
});

export type OutboundProxySettings = z.output<typeof outboundProxyConfig>;

export interface ProxyHop {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
  /** TLS to the proxy itself. */
  readonly secure: boolean;
  /** Value of `Proxy-Authorization`. */
  readonly authorization: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** Takes from the environment what the configuration file leaves out. */
export function withProxyEnvironment(settings: OutboundProxySettings, env: Environment): OutboundProxySettings {
  const given = (name: string): string | undefined => env[name] || env[name.toLowerCase()] || undefined;
  const list = given('NO_PROXY')
    ?.split(/[\s,]+/)
    .filter((entry) => entry !== '');
  return {
    http: settings.http ?? given('HTTP_PROXY'),
    https: settings.https ?? given('HTTPS_PROXY'),
    noProxy: settings.noProxy ?? list,
  };
}

export class OutboundProxies {
  readonly #http: ProxyHop | undefined;
  readonly #https: ProxyHop | undefined;
  readonly #direct: readonly DirectRule[];

  /** Throws CONFIG_INVALID. */
  constructor({ http, https, noProxy = [] }: OutboundProxySettings) {
    this.#http = http === undefined ? undefined : hopOf(http);
    this.#https = https === undefined ? undefined : hopOf(https);
    this.#direct = noProxy.map(directRule);
  }

  /** Undefined for a target that is reached directly. */
  for(url: URL): ProxyHop | undefined {
    const hop = url.protocol === 'https:' ? this.#https : this.#http;
    if (!hop || namesLoopback(url.href)) return undefined;
    const target = {
      host: url.hostname
        .replace(/^\[|\]$/g, '')
        .toLowerCase()
        .replace(/\.$/, ''),
      port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    };
    return this.#direct.some((matches) => matches(target)) ? undefined : hop;
  }
}

interface Target {
  readonly host: string;
  readonly port: number;
}

type DirectRule = (target: Target) => boolean;

function directRule(entry: string): DirectRule {
  const text = entry.trim().toLowerCase().replace(/\.$/, '');
  if (text === '*') return () => true;
  const [network = '', prefix] = text.split('/');
  if (prefix !== undefined && isIP(network) !== 0 && /^\d{1,3}$/.test(prefix)) {
    const list = new BlockList();
    list.addSubnet(network, Number(prefix), isIP(network) === 6 ? 'ipv6' : 'ipv4');
    return ({ host }) => isIP(host) !== 0 && list.check(host, isIP(host) === 6 ? 'ipv6' : 'ipv4');
  }
  const bare = isIP(text) === 6 ? [text, undefined] : [text.replace(/:\d+$/, ''), /:(\d+)$/.exec(text)?.[1]];
  const name = (bare[0] ?? '').replace(/^\[|\]$/g, '').replace(/^\*?\./, '');
  const port = bare[1] === undefined ? undefined : Number(bare[1]);
  return (target) => {
    if (port !== undefined && port !== target.port) return false;
    return target.host === name || (isIP(target.host) === 0 && target.host.endsWith(`.${name}`));
  };
}

function hopOf(text: string): ProxyHop {
  const written = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(written) ? new URL(written) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.hostname === '') {
    throw new DragonflyError('CONFIG_INVALID', `"${text}" is no proxy to leave by`, {
      hint: 'Write http://host:port or https://host:port, with user:password@ where it asks for them.',
    });
  }
  const secure = url.protocol === 'https:';
  const login = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (secure ? 443 : 80),
    secure,
    authorization: login === ':' ? undefined : `Basic ${Buffer.from(login).toString('base64')}`,
  };
}

/** The proxy as a URL without its credentials, for clients that take that. */
export function proxyUrl({ host, port, secure }: ProxyHop): string {
  return `${secure ? 'https' : 'http'}://${bracketed(host)}:${port}`;
}

/** Distinguishes connections through one proxy from those through another or none. */
export function hopKey(hop: ProxyHop | undefined): string {
  return hop ? `by ${hostPort(hop.host, hop.port)}` : '';
}
