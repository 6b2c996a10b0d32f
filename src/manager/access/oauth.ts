/**
 * Signing in with GitHub, Google or any OpenID Connect issuer. What only the initiating browser knows (state, nonce,
 * PKCE verifier) travels in an encrypted cookie, so that any replica can complete a sign-in that another began, and
 * nobody can make a browser complete one that it did not begin.
 */
import { createHash } from 'node:crypto';
import type * as OpenId from 'openid-client';
import { DragonflyError } from '../../core/errors.ts';
import type { Logger } from '../../core/process/logger.ts';
import type { ManagerConfig } from '../config.ts';
import type { Database } from '../db/database.ts';
import { isUniqueViolation } from '../db/engine.ts';
import { oauthFlowMs, oauthTimeoutMs } from '../limits.ts';
import { guestRole } from './objects.ts';
import type { Sealer } from './sealer.ts';
import { enabled, type Users } from './users.ts';

export interface OAuthParts {
  readonly config: ManagerConfig;
  readonly database: Database;
  readonly sealer: Sealer;
  readonly users: Users;
  readonly logger: Logger;
}

interface Provider {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly redirectUrl: string;
}

interface Flow {
  readonly provider: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly expiresAt: number;
}

interface Identity {
  readonly subject: string;
  readonly name: string;
  readonly email: string | undefined;
  readonly avatar: string | undefined;
}

export const oauthSecretPurpose = 'oauth client secret';
const flowPurpose = 'oauth flow';

const github = {
  issuer: 'https://github.com',
  authorization_endpoint: 'https://github.com/login/oauth/authorize',
  token_endpoint: 'https://github.com/login/oauth/access_token',
};
const githubUser = new URL('https://api.github.com/user');

const wellKnownIssuers: Readonly<Record<string, string>> = { google: 'https://accounts.google.com' };

/** Loaded with the first sign-in through a provider. */
const openId = (): Promise<typeof OpenId> => import('openid-client');

export class OAuth {
  readonly #parts: OAuthParts;

  constructor(parts: OAuthParts) {
    this.#parts = parts;
  }

  async providerNames(): Promise<string[]> {
    const rows = await this.#parts.database.db.selectFrom('oauth').select('name').orderBy('name').execute();
    return [...new Set([...this.#parts.config.auth.oauth.map(({ name }) => name), ...rows.map(({ name }) => name)])];
  }

  /** @returns where to send the browser, and the cookie that it must bring back. Throws NOT_FOUND, UNAVAILABLE. */
  async begin(name: string): Promise<{ location: string; flow: string }> {
    const provider = await this.#provider(name);
    const configuration = await discover(provider);
    const client = await openId();
    const verifier = client.randomPKCECodeVerifier();
    const flow: Flow = {
      provider: name,
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier,
      expiresAt: Date.now() + oauthFlowMs,
    };
    const location = client.buildAuthorizationUrl(configuration, {
      redirect_uri: provider.redirectUrl,
      scope: isGithub(provider) ? 'read:user user:email' : 'openid email profile',
      state: flow.state,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      ...(isGithub(provider) ? {} : { nonce: flow.nonce }),
    });
    return { location: location.href, flow: this.#parts.sealer.seal(flowPurpose, JSON.stringify(flow)) };
  }

  /** @param query of the returning request. @returns the user's id. Throws UNAUTHENTICATED. */
  async finish(name: string, query: string, sealedFlow: string | undefined): Promise<number> {
    const provider = await this.#provider(name);
    const flow = this.#openFlow(sealedFlow);
    if (flow?.provider !== name || flow.expiresAt < Date.now())
      throw refused('it was not begun by this browser, or too long ago');
    const configuration = await discover(provider);
    try {
      const url = new URL(provider.redirectUrl);
      url.search = query;
      const client = await openId();
      const tokens = await client.authorizationCodeGrant(configuration, url, {
        expectedState: flow.state,
        pkceCodeVerifier: flow.verifier,
        ...(isGithub(provider) ? {} : { expectedNonce: flow.nonce, idTokenExpected: true }),
      });
      const identity = isGithub(provider)
        ? await githubIdentity(configuration, tokens.access_token)
        : openIdIdentity(tokens.claims());
      return await this.#userOf(name, identity);
    } catch (error) {
      if (error instanceof DragonflyError) throw error;
      this.#parts.logger.warn({ provider: name, error: (error as Error).message }, 'sign-in through a provider failed');
      throw refused('the provider did not confirm it');
    }
  }

  #openFlow(sealed: string | undefined): Flow | undefined {
    try {
      return sealed === undefined ? undefined : (JSON.parse(this.#parts.sealer.open(flowPurpose, sealed)) as Flow);
    } catch {
      return undefined;
    }
  }

  async #provider(name: string): Promise<Provider> {
    const { config, database, sealer } = this.#parts;
    const configured = config.auth.oauth.find((provider) => provider.name === name);
    if (configured) {
      const { issuer, clientID: clientId, clientSecret, redirectURL: redirectUrl } = configured;
      return { name, issuer: issuer ?? wellKnownIssuers[name] ?? '', clientId, clientSecret, redirectUrl };
    }
    const row = await database.db.selectFrom('oauth').selectAll().where('name', '=', name).executeTakeFirst();
    if (!row) throw new DragonflyError('NOT_FOUND', `there is no provider ${name}`);
    return {
      name,
      issuer: row.issuer || (wellKnownIssuers[name] ?? ''),
      clientId: row.client_id,
      clientSecret: sealer.open(oauthSecretPurpose, row.sealed_client_secret),
      redirectUrl: row.redirect_url,
    };
  }

  /** The user that the identity belongs to; a new identity gets a guest account. An account is never taken over by name or email. */
  async #userOf(provider: string, identity: Identity): Promise<number> {
    const { database, users } = this.#parts;
    const find = () =>
      database.db
        .selectFrom('oauth_identity')
        .innerJoin('user', 'user.id', 'oauth_identity.user_id')
        .select(['user.id', 'user.state'])
        .where('provider', '=', provider)
        .where('subject', '=', identity.subject)
        .executeTakeFirst();
    const known = await find();
    if (known) {
      if (known.state === enabled) return known.id;
      throw refused('the account is disabled');
    }
    const suffix = createHash('sha256').update(`${provider} ${identity.subject}`).digest('hex').slice(0, 8);
    const name = `${identity.name.replaceAll(/[^A-Za-z0-9._-]/g, '').slice(0, 40) || provider}-${suffix}`;
    const { email, avatar } = identity;
    const id = await users.create({ name, password: undefined, avatar }, guestRole);
    // An e-mail address that another account has registered is never reassigned.
    if (email !== undefined) await users.update(id, { email }).catch(() => undefined);
    try {
      await database.db
        .insertInto('oauth_identity')
        .values({ provider, subject: identity.subject, user_id: id })
        .execute();
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      await users.delete(id);
      return (await find())?.id ?? id;
    }
    return id;
  }
}

function isGithub({ name, issuer }: Provider): boolean {
  return name === 'github' && issuer === '';
}

async function discover(provider: Provider): Promise<OpenId.Configuration> {
  const client = await openId();
  const secret = client.ClientSecretPost(provider.clientSecret);
  if (isGithub(provider)) {
    const configuration = new client.Configuration(github, provider.clientId, undefined, secret);
    configuration.timeout = oauthTimeoutMs / 1000;
    return configuration;
  }
  try {
    // Internal issuers may have no certificate; an operator who writes http: means it.
    const insecure = provider.issuer.startsWith('http:') ? { execute: [client.allowInsecureRequests] } : {};
    return await client.discovery(new URL(provider.issuer), provider.clientId, undefined, secret, {
      ...insecure,
      timeout: oauthTimeoutMs / 1000,
    });
  } catch (cause) {
    throw new DragonflyError('UNAVAILABLE', `the issuer of ${provider.name} cannot be reached`, {
      cause,
      hint: 'Check the issuer URL: it must serve /.well-known/openid-configuration.',
    });
  }
}

async function githubIdentity(configuration: OpenId.Configuration, accessToken: string): Promise<Identity> {
  const { fetchProtectedResource } = await openId();
  const response = await fetchProtectedResource(configuration, accessToken, githubUser, 'GET');
  const user = (await response.json()) as { id?: number; login?: string; email?: string | null; avatar_url?: string };
  if (user.id === undefined) throw new Error('the answer has no user');
  return { subject: String(user.id), name: user.login ?? '', email: user.email ?? undefined, avatar: user.avatar_url };
}

function openIdIdentity(claims: OpenId.IDToken | undefined): Identity {
  if (!claims) throw new Error('the answer has no identity token');
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);
  return {
    subject: claims.sub,
    name: text(claims['preferred_username']) ?? text(claims['name']) ?? '',
    email: claims['email_verified'] === false ? undefined : text(claims['email']),
    avatar: text(claims['picture']),
  };
}

function refused(reason: string): DragonflyError {
  return new DragonflyError('UNAUTHENTICATED', `the sign-in is refused: ${reason}`, {
    hint: 'Begin again at the sign-in page.',
  });
}
