/**
 * Tokens that a registry gives to anyone who asks. With them a seed fetches public images itself, without the
 * credentials of the client that wants them, which never leave that client's node.
 */
import { LRUCache } from 'lru-cache';
import { tokenService } from '../../core/net/credential-routes.ts';
import { parseAuthChallenges } from '../../core/oci/auth-challenge.ts';
import { maxRegistryTokens, registryTokenMs } from './limits.ts';
import { namedInRegistry } from '../../core/oci/registry-path.ts';

/** GETs a small answer; `undefined` for any status but 200. Rejects when the service cannot be reached. */
export type AskForToken = (url: URL) => Promise<string | undefined>;

export class AnonymousTokens {
  /** Keyed by registry and repository; undefined when a token did not help. */
  readonly #tokens = new LRUCache<string, { readonly authorization: string | undefined }>({
    max: maxRegistryTokens,
    ttl: registryTokenMs,
  });

  known(url: URL): string | undefined {
    const key = keyOf(url);
    return key === undefined ? undefined : this.#tokens.get(key)?.authorization;
  }

  /**
   * What to send instead after a 401. Undefined when the registry gives nothing anonymously, or has just refused that,
   * too. @param challenge value of WWW-Authenticate @param sent what was refused now
   */
  async answer(
    url: URL,
    challenge: string,
    { sent, ask }: { readonly sent: string | undefined; readonly ask: AskForToken },
  ): Promise<string | undefined> {
    const key = keyOf(url);
    const realm = key === undefined ? undefined : realmOf(challenge, url);
    if (key === undefined || !realm) return undefined;
    const held = this.#tokens.get(key);
    if (held && held.authorization !== sent) return held.authorization; // another request has got one in the meantime
    if (held && sent === undefined) return undefined;
    const token = await ask(realm).then(tokenIn, () => undefined);
    const authorization = token === undefined ? undefined : `Bearer ${token}`;
    this.#tokens.set(key, { authorization });
    return authorization;
  }

  /** The token did not help, so no anonymous request is made again soon. */
  refused(url: URL): void {
    const key = keyOf(url);
    if (key !== undefined) this.#tokens.set(key, { authorization: undefined });
  }
}

function keyOf(url: URL): string | undefined {
  const repository = repositoryOf(url);
  return repository === undefined ? undefined : `${url.origin} ${repository}`;
}

function repositoryOf({ pathname }: URL): string | undefined {
  return namedInRegistry(pathname)?.repository;
}

function realmOf(challenge: string, url: URL): URL | undefined {
  const bearer = parseAuthChallenges(challenge).find(({ scheme }) => scheme === 'bearer');
  try {
    return bearer && tokenService(bearer, url, { repository: repositoryOf(url) ?? '' });
  } catch {
    return undefined; // in that case nothing is given anonymously
  }
}

function tokenIn(text: string | undefined): string | undefined {
  try {
    const { token, access_token: other } = JSON.parse(text ?? '') as { token?: unknown; access_token?: unknown };
    const given = token ?? other;
    return typeof given === 'string' && /^[\x21-\x7e]+$/.test(given) ? given : undefined;
  } catch {
    return undefined;
  }
}
