/** Which requests go through the peers: the first rule whose expression matches the whole URL decides. */
import assert from 'node:assert/strict';
import { compilePattern, type Pattern } from '../../core/pattern.ts';
import type { RuleConfig, WhiteListEntry } from './proxy-config.ts';

export interface RuleVerdict {
  /** True when the request goes through the peers; otherwise it is simply forwarded, to `url` in both cases. */
  readonly peers: boolean;
  readonly url: URL;
  readonly filteredQueryParams: readonly string[] | undefined;
}

export class ProxyRules {
  #rules: readonly { readonly config: RuleConfig; readonly expression: Pattern }[] = [];

  constructor(rules: readonly RuleConfig[]) {
    this.replace(rules);
  }

  /** Takes effect from the next request on. */
  replace(rules: readonly RuleConfig[]): void {
    this.#rules = rules.flatMap((config) => {
      const text = config.regx ?? config.regex;
      return text === undefined ? [] : [{ config, expression: compiled(text) }];
    });
  }

  /** Undefined when no rule matches; then the request is forwarded unchanged. */
  match(url: URL): RuleVerdict | undefined {
    const { href } = url;
    for (const { config, expression } of this.#rules) {
      if (!expression.test(href)) continue;
      return {
        peers: !config.direct,
        url: rewritten(url, config, expression),
        filteredQueryParams: config.filteredQueryParams,
      };
    }
    return undefined;
  }
}

/** A redirect with a slash is a replacement inside the whole URL, one without is a new host. TLS is switched on afterwards. */
function rewritten(url: URL, config: RuleConfig, expression: Pattern): URL {
  let result = new URL(url);
  const { redirect } = config;
  if (redirect?.includes('/')) {
    const text = expression.replaceAll(url.href, redirect);
    if (URL.canParse(text)) result = new URL(text);
  } else if (redirect !== undefined && redirect !== '') {
    result.port = '';
    result.host = redirect;
  }
  if ((config.useHTTPS || config.useTLS) && result.protocol === 'http:') result.protocol = 'https:';
  return result;
}

/** Hosts that the forward proxy may reach. An empty list allows every host. */
export class WhiteList {
  readonly #entries: readonly { readonly config: WhiteListEntry; readonly expression: Pattern | undefined }[];

  constructor(entries: readonly WhiteListEntry[]) {
    this.#entries = entries.map((config) => ({
      config,
      expression: config.regx === undefined ? undefined : compiled(config.regx),
    }));
  }

  /** The first entry whose host is equal, or whose expression matches, decides by its ports. Undefined when the list is empty. */
  allows(hostname: string, port: number): boolean | undefined {
    if (this.#entries.length === 0) return undefined;
    for (const { config, expression } of this.#entries) {
      if (config.host !== hostname && expression?.test(hostname) !== true) continue;
      return config.ports.length === 0 || portListed(config.ports, port);
    }
    return false;
  }
}

export function portListed(ports: readonly string[], port: number): boolean {
  return ports.some((text) => {
    const [first, last = first] = text.split('-').map(Number);
    return first !== undefined && last !== undefined && port >= first && port <= last;
  });
}

function compiled(text: string): Pattern {
  const expression = compilePattern(text);
  assert(expression, `${text} was checked when the configuration was read`);
  return expression;
}
